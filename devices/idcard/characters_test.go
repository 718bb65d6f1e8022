package idcard

import (
	"slices"
	"testing"
	"time"
	"unicode"
)

func TestCharactersOfTheStandardOf2022(t *testing.T) {
	for _, c := range []struct {
		name, want string
		warned     bool
	}{
		{"张\ue81e", "张\u9fb4", false},         // moved in 2022
		{"张\ue864", "张\u9fbb", false},         // moved in 2022
		{"张\ue816", "张\U00020087", false},     // extension B
		{"张\U00020BB7", "张𠮷", false},          // a surrogate pair on the card
		{"张\u4dae", "张\u4dae", false},         // extension A
		{"张\u9ffd", "张\u9ffd", false},         // end of the unified block
		{"张\ue000", "张\ue000", true},          // private and known to nobody: said, never dropped
		{"张\U0002EBF0", "张\U0002EBF0", false}, // extension I, of 2023
	} {
		text := slices.Clone(vector())
		put(text, 0, 30, c.name)
		card, err := parseRecord(text, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		if card.Name != c.want || slices.Contains(card.Warnings, "name") != c.warned {
			t.Errorf("%+q reads as %+q, warnings %v", c.name, card.Name, card.Warnings)
		}
		if !c.warned {
			for _, r := range card.Name {
				if unicode.Is(unicode.Co, r) {
					t.Errorf("%+q: a private character is left", card.Name)
				}
			}
		}
	}
}
