package catalogue

// The data are sound, and what was made from them is not older than they are.

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNothingIsStale(t *testing.T) {
	files, err := Generate(Events, States)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join("..", "..", "..", path))
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is stale: go generate ./sync/wire", path)
		}
		for i, c := range got {
			if c >= 0x80 {
				t.Errorf("%s: byte %d is not ASCII", path, i)
				break
			}
		}
	}
}

func TestBadEventsAreNamed(t *testing.T) {
	const good = "[[event]]\nid = 'a.b'\ntype = 'user-action'\ntext = 'T.'\n"
	for raw, want := range map[string]string{
		good + good: "same constant",
		good + strings.Replace(good, "a.b", "a-b", 1):                   "not an id",
		good + strings.Replace(good, "a.b", "A.b", 1):                   "not an id",
		strings.Replace(good, "a.b", "a\u200c.b", 1):                    "not an id",
		strings.Replace(good, "T.", "\u6587", 1):                        "ASCII",
		strings.Replace(good, "T.", "", 1):                              "no text",
		strings.Replace(good, "user-action", "user", 1):                 "type",
		good + "fields = { name = 'text' }\n":                           "kind",
		good + "fields = { Name = 'word' }\n":                           "field",
		good + "colour = 'red'\n":                                       "missing",
		good + strings.NewReplacer("a.b", "a.b-c").Replace(good) + good: "same constant",
	} {
		if _, err := ReadEvents([]byte(raw)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, expected %q for\n%s", err, want, raw)
		}
	}
	if all, err := ReadEvents([]byte(good)); err != nil || len(all) != 1 {
		t.Errorf("%v %v", all, err)
	}
}

func TestBadStatesAreNamed(t *testing.T) {
	s := func(id, more string) string { return "[[state]]\nid = '" + id + "'\ntext = 'T.'\n" + more + "\n" }
	for raw, want := range map[string]string{
		"": "none",
		s("A", "next = ['B']") + s("B", "final = true") + s("B", "final = true"): "twice",
		s("a", "final = true"):                          "not an id",
		s("A", "next = ['C']"):                          "unknown",
		s("A", "next = ['A']"):                          "unknown",
		s("A", "final = true\ndesk = true"):             "person",
		s("A", "final = true") + s("B", "final = true"): "no case can come",
		s("A", "next = ['B', 'C']") + s("B", "final = true") + s("C", "next = ['D']") + s("D", "next = ['C']"): "no case can leave",
	} {
		if _, err := ReadStates([]byte(raw)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, expected %q for\n%s", err, want, raw)
		}
	}
}
