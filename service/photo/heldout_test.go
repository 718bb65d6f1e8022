package photo

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/budayang/kiosk/test/portraits"
)

// The document that tells what comes of the pictures, and where in it.
const (
	document   = "../../docs/photo.md"
	tablesFrom = "<!-- what follows is written by BUDAYANG_UPDATE=1 go test -tags ci -run HeldOut ./service/photo -->\n"
	tablesTo   = "<!-- end of what is written -->\n"
)

// heading is how the document calls a verdict.
func heading(v string) string {
	if v == portraits.None {
		return "no photo"
	}
	return strings.ReplaceAll(v, "for-person", "for a person")
}

// TestHeldOutPictures judges pictures that no limit was set with. What is wrong is wrong in the document too, by name; nothing else may be, and what
// has become right must be taken off.
func TestHeldOutPictures(t *testing.T) {
	b := booth(t, "id-card")
	was, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(was), tablesFrom)
	told, after, ok2 := strings.Cut(rest, tablesTo)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the tables", document)
	}
	verdicts := []string{portraits.Accepted, portraits.ForPerson, portraits.Refused, portraits.None}
	table, odd, wrong := map[[2]string]int{}, map[string]int{}, []string{}
	n := 0
	for i, c := range studio(t).HeldOut() {
		if i%every != 0 {
			continue
		}
		n++
		got, found := judged(t, b, c.Make().RGBA)
		table[[2]string{c.Verdict, string(got)}]++
		if right(c, got, found) {
			if strings.Contains(told, "| "+c.Name+" |") && every > 1 {
				t.Errorf("%s is right now", c.Name)
			}
			continue
		}
		var said []string
		for _, f := range found {
			if a := string(f.Advice); !slices.Contains(said, a) {
				said = append(said, a)
			}
		}
		if string(got) == c.Verdict {
			odd[c.Verdict]++
		}
		line := fmt.Sprintf("| %s | %s: %s | %s: %s |\n", c.Name, heading(c.Verdict), c.Says, heading(string(got)), strings.Join(said, ", "))
		line = strings.ReplaceAll(line, ":  |", " |")
		wrong = append(wrong, line)
		if !strings.Contains(told, line) && os.Getenv("BUDAYANG_UPDATE") == "" {
			t.Errorf("the document does not tell: %s", line)
		}
	}
	if every > 1 {
		return // the tables are of all
	}
	var s strings.Builder
	fmt.Fprintf(&s, "\n| expected | accepted | for a person | refused | no photo | right verdict, other reason |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, v := range verdicts {
		fmt.Fprintf(&s, "| %s |", heading(v))
		for _, g := range verdicts {
			fmt.Fprintf(&s, " %d |", table[[2]string{v, g}])
		}
		fmt.Fprintf(&s, " %d |\n", odd[v])
	}
	fmt.Fprintf(&s, "\n%d of %d are wrong, verdict or reason:\n\n| picture | should be | is |\n| --- | --- | --- |\n%s\n", len(wrong), n, strings.Join(wrong, ""))
	t.Log(s.String())
	if s.String() == told {
		return
	}
	if os.Getenv("BUDAYANG_UPDATE") == "" {
		t.Errorf("%s tells something else", document)
	} else if err := os.WriteFile(document, []byte(before+tablesFrom+s.String()+tablesTo+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
