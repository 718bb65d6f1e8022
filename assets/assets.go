// Package assets holds what the programs carry in themselves: fonts, icons, languages, items and templates, each with its
// licence beside it. It imports nothing of ours.
package assets

import "embed"

// FS holds everything but fonts, by path ("lang/zh.json", "items/SB-P.yaml", "icons/card.svg").
//
//go:embed items lang icons
var FS embed.FS

// Faces are big: as plain bytes they stay in the program's file and only the pages that are looked at come into memory.
var (
	//go:embed fonts/ui-regular.otf
	uiRegular []byte
	//go:embed fonts/ui-bold.otf
	uiBold []byte
	//go:embed fonts/wide-regular.ttf
	wideRegular []byte
	//go:embed fonts/print-bold.ttf
	printBold []byte
)

// Font returns a face's bytes, which nobody may write to; the names are those of assets/fonts without directory. It panics
// for another name.
func Font(name string) []byte {
	switch name {
	case "ui-regular.otf":
		return uiRegular
	case "ui-bold.otf":
		return uiBold
	case "wide-regular.ttf":
		return wideRegular
	case "print-bold.ttf":
		return printBold
	}
	panic("assets: no font " + name)
}
