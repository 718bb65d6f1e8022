// Package assets holds what the programs carry in themselves: fonts, icons, languages, items and templates, each with its
// licence beside it. It imports nothing of ours.
package assets

import "embed"

// FS holds everything, by path ("fonts/ui-regular.otf", "lang/zh.json", "items/SB-P.yaml", "icons/card.svg").
//
//go:embed fonts/*.otf fonts/*.ttf items lang icons
var FS embed.FS

// Font returns a face's bytes; the names are those of assets/fonts without directory. It panics for a name that is not
// embedded, which a test excludes.
func Font(name string) []byte {
	b, err := FS.ReadFile("fonts/" + name)
	if err != nil {
		panic(err)
	}
	return b
}
