"""Is the panel showing what the X server has?

picture.py PANEL.ppm ROOT.xwd TURN: PANEL.ppm is what QEMU's display device scans out, ROOT.xwd the X server's root window, TURN how
the one lies in the other (normal, left, right, inverted: xrandr's words). Exit code 0 when the root window has at least 50 colours
and at least 98 of 100 dots are the same (a clock may have gone on between the two); what differs is told otherwise.
"""
import struct
import sys


def ppm(name):
    """A binary PPM as width, height and rows of 3-byte dots."""
    data = open(name, "rb").read()
    head = data.split(None, 4)[:4]
    if len(head) < 4 or head[0] != b"P6" or head[3] != b"255":
        raise ValueError(name + ": not a PPM of 8 bits")
    width, height = int(head[1]), int(head[2])
    at = len(data) - width * height * 3
    return width, height, [[data[i : i + 3] for i in range(r, r + width * 3, 3)] for r in range(at, len(data), width * 3)]


def xwd(name):
    """The ZPixmap of 32 bits a dot that xwd writes on an ordinary screen, as ppm()."""
    data = open(name, "rb").read()
    f = struct.unpack(">25I", data[:100])
    size, version, fmt, depth, width, height = f[:6]
    order, bits, line, colours = f[7], f[11], f[12], f[19]
    if (version, fmt, depth, order, bits) != (7, 2, 24, 0, 32):
        raise ValueError(name + ": another kind of dump")
    at = size + colours * 12
    rows = []
    for y in range(height):
        row = data[at + y * line : at + y * line + width * 4]
        rows.append([row[i + 2 : i + 3] + row[i + 1 : i + 2] + row[i : i + 1] for i in range(0, width * 4, 4)])
    return width, height, rows


def turned(rows, turn):
    """The root window as it must lie on the panel."""
    if turn == "left":
        return [list(r) for r in zip(*rows)][::-1]
    if turn == "right":
        return [list(r) for r in zip(*rows[::-1])]
    if turn == "inverted":
        return [r[::-1] for r in rows[::-1]]
    return rows


def main():
    width, height, panel = ppm(sys.argv[1])
    root_width, root_height, root = xwd(sys.argv[2])
    colours = len({d for r in root for d in r})
    if colours < 50:
        return f"the root window has {colours} colours"
    want = turned(root, sys.argv[3])
    if (len(want[0]), len(want)) != (width, height):
        return f"a root window of {root_width} x {root_height}, {sys.argv[3]}, on a panel of {width} x {height}"
    same = sum(a == b for p, w in zip(panel, want) for a, b in zip(p, w))
    if same < width * height * 98 // 100:
        shown = len({d for r in panel for d in r})
        return f"{same} of {width * height} dots are as the root window has them; it has {colours} colours, the panel {shown}"
    return None


sys.exit(main())
