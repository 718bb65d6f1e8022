# A Modbus slave by others (pymodbus of Debian), RTU frames over TCP as a serial gateway has them.
# Usage: slave.py PORT. Inputs 0 and 2 are on; coils and registers from 0 to 15.
import sys
from pymodbus.server import StartTcpServer
from pymodbus.transaction import ModbusRtuFramer
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusSlaveContext, ModbusServerContext

bits = [False] * 16
inputs = list(bits)
inputs[0] = inputs[2] = True
store = ModbusSlaveContext(
    di=ModbusSequentialDataBlock(0, inputs), co=ModbusSequentialDataBlock(0, bits),
    hr=ModbusSequentialDataBlock(0, [0x8001] + [0] * 15), ir=ModbusSequentialDataBlock(0, [0x0102] + [0] * 15), zero_mode=True)
StartTcpServer(context=ModbusServerContext(slaves={1: store}, single=False), framer=ModbusRtuFramer, address=("127.0.0.1", int(sys.argv[1])))
