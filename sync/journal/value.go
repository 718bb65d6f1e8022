package journal

// Values: JSON with a checksum in front, so that a bit that a disk turned over is never taken for what was written.

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
)

// A value is 0x01, the CRC-32C of what follows (4 bytes), and JSON. Journals of the first version have the JSON alone.
const valueMark = 0x01

func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	framed := make([]byte, 0, 5+len(b))
	framed = binary.BigEndian.AppendUint32(append(framed, valueMark), crc32.Checksum(b, crcTable))
	return append(framed, b...), nil
}

func decode(b []byte, v any) error {
	if len(b) > 0 && b[0] == '{' {
		return json.Unmarshal(b, v)
	}
	if len(b) < 5 || b[0] != valueMark || crc32.Checksum(b[5:], crcTable) != binary.BigEndian.Uint32(b[1:]) {
		return fmt.Errorf("%w: a value is not what was written", ErrDamaged)
	}
	return json.Unmarshal(b[5:], v)
}
