#!/usr/bin/python3
"""Makes the embedded fonts from Debian's fonts-noto-cjk (SIL OFL 1.1).

Run: /usr/bin/python3 assets/fonts/make.py   (needs fonts-noto-cjk, python3-fonttools)

  ui-regular.otf, ui-bold.otf   GB 2312 and the signs the screens use; CFF, small in memory
  print-bold.ttf                the same characters with TrueType outlines, for PDF headings
  wide-regular.ttf              every Han character the Simplified Chinese face has, TrueType outlines:
                                names on paper, on slips and in the pictures that the screen shows
"""
import sys
from fontTools.ttLib import TTCollection, newTable
from fontTools import subset
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.pens.cu2quPen import Cu2QuPen

SRC = "/usr/share/fonts/opentype/noto/NotoSansCJK-%s.ttc"
DIR = sys.path[0] + "/"


def simplified_chinese(weight):
    for font in TTCollection(SRC % weight).fonts:
        if font["name"].getDebugName(1).startswith("Noto Sans CJK SC"):
            return font
    raise SystemExit("no Simplified Chinese face in " + SRC % weight)


def gb2312():
    chars = set()
    for row in range(0xA1, 0xF8):
        for cell in range(0xA1, 0xFF):
            try:
                chars.add(ord(bytes([row, cell]).decode("gb2312")))
            except UnicodeDecodeError:
                pass
    return chars


def signs():
    chars = set(range(0x20, 0x7F)) | set(range(0xA0, 0x180))
    for a, b in ((0x2000, 0x2070), (0x20A0, 0x20C0), (0x2100, 0x2150), (0x2190, 0x2200), (0x2200, 0x2300),
                 (0x2300, 0x2400), (0x2460, 0x2500), (0x2500, 0x2600), (0x25A0, 0x2600), (0x2600, 0x2700),
                 (0x2700, 0x27C0), (0x3000, 0x3040), (0xFE30, 0xFE50), (0xFF00, 0xFFF0)):
        chars |= set(range(a, b))
    # common in names, outside GB 2312
    chars |= set(map(ord, "囧堃喆昇淼嫚玥珺瑀祎翀頔犇奣燚龘㐂㙓䶮啰瞭祇镕龑昶赟婼晞芃"))
    return chars


def cut(font, chars):
    opt = subset.Options()
    opt.layout_features = []
    opt.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    opt.hinting = False
    opt.desubroutinize = True
    opt.notdef_outline = True
    opt.glyph_names = False
    opt.drop_tables += ["VORG", "vhea", "vmtx", "BASE", "GSUB", "GPOS", "DSIG"]
    s = subset.Subsetter(opt)
    s.populate(unicodes=chars)
    s.subset(font)
    return font


def truetype(font):
    order = font.getGlyphOrder()
    source = font.getGlyphSet()
    glyphs = {}
    for name in order:
        pen = TTGlyphPen(None)
        source[name].draw(Cu2QuPen(pen, 1.0, reverse_direction=True))
        glyphs[name] = pen.glyph()
    glyf = newTable("glyf")
    glyf.glyphOrder, glyf.glyphs = order, glyphs
    font["loca"], font["glyf"] = newTable("loca"), glyf
    maxp = font["maxp"]
    maxp.tableVersion = 0x00010000
    for field in ("maxZones", "maxTwilightPoints", "maxStorage", "maxFunctionDefs", "maxInstructionDefs",
                  "maxStackElements", "maxSizeOfInstructions", "maxPoints", "maxContours",
                  "maxCompositePoints", "maxCompositeContours", "maxComponentElements", "maxComponentDepth"):
        setattr(maxp, field, 1 if field == "maxZones" else 0)
    for tag in ("CFF ", "VORG"):
        if tag in font:
            del font[tag]
    font["post"].formatType = 3.0
    font["head"].glyphDataFormat = 0
    font.sfntVersion = "\000\001\000\000"
    glyf.compile(font)
    for name in order:
        g = glyf[name]
        if hasattr(g, "xMin"):
            font["hmtx"][name] = (font["hmtx"][name][0], g.xMin)
    return font


def main():
    small = gb2312() | signs()
    for weight, name in (("Regular", "ui-regular.otf"), ("Bold", "ui-bold.otf")):
        cut(simplified_chinese(weight), small).save(DIR + name)
        print(name, flush=True)
    truetype(cut(simplified_chinese("Bold"), small)).save(DIR + "print-bold.ttf")
    print("print-bold.ttf", flush=True)
    wide = simplified_chinese("Regular")
    han = {c for c in wide.getBestCmap() if 0x3400 <= c < 0xA000 or 0xF900 <= c < 0xFB00 or c >= 0x20000}
    truetype(cut(wide, small | han)).save(DIR + "wide-regular.ttf")
    print("wide-regular.ttf", flush=True)


main()
