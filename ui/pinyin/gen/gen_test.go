package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// unihan is where Debian's unicode-data has the database.
const unihan = "/usr/share/unicode"

func TestTableIsWhatTheDatabaseGives(t *testing.T) {
	if _, err := os.Stat(filepath.Join(unihan, "Unihan_Readings.txt.bz2")); err != nil {
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
			t.Fatal(err)
		}
		t.Skip("Debian's unicode-data is not installed:", err)
	}
	got, err := table(unihan)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("..", "table.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("table.txt is not what the database gives: go generate ./ui/pinyin")
	}
}

func TestSyllable(t *testing.T) {
	for _, x := range []struct{ reading, want string }{
		{"zhèng", "zheng"}, {"nǚ", "nv"}, {"nü", "nv"}, {"lüè", "lve"}, {"ńg", "en"}, {"ê̄", "e"}, {"hng", "heng"}, {"a", "a"},
		{"", ""}, {"ä", ""}, {"zh", ""}, {"Ma", ""}, {"中", ""},
	} {
		got, err := syllable(x.reading)
		if got != x.want || (err == nil) != (x.want != "") {
			t.Errorf("%q: %q %v, want %q", x.reading, got, err, x.want)
		}
	}
}
