package rules

// docs/failures.md names every failure case once, with tests that exist or with what must exist first.

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// written are a folder's tests: the function's own text by its name, and all string literals of the folder's test files.
type written struct {
	tests    map[string]bool
	literals map[string]bool
}

func testsOf(t *testing.T, folder string) written {
	t.Helper()
	w := written{map[string]bool{}, map[string]bool{}}
	files, err := filepath.Glob(filepath.Join("..", "..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil {
					w.tests[n.Name.Name] = true
				}
			case *ast.BasicLit:
				if s, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					w.literals[s] = true
				}
			}
			return true
		})
	}
	return w
}

func TestEveryFailureCaseHasItsTest(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "failures.md"))
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`([a-z/]+)\\.(Test[A-Za-z0-9]+)(?:/([^`]+))?`")
	folders := map[string]written{}
	next := 1
	for line := range strings.Lines(string(doc)) {
		if !strings.HasPrefix(line, "| F") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 {
			t.Errorf("%d cells in %s", len(cells), line)
			continue
		}
		if want := fmt.Sprintf("F%d", next); strings.TrimSpace(cells[0]) != want {
			t.Errorf("%s where %s should be", cells[0], want)
		}
		next++
		named := name.FindAllStringSubmatch(cells[2], -1)
		if strings.Count(cells[2], "`") != 2*len(named) {
			t.Errorf("%s: a name that is not folder.TestName", strings.TrimSpace(cells[0]))
		}
		if left := strings.TrimSpace(cells[3]); len(named) == 0 && !regexp.MustCompile(`: (issue [0-9]+|step [0-9]+ of the roadmap)`).MatchString(left) {
			t.Errorf("%s: neither a test nor where it belongs", strings.TrimSpace(cells[0]))
		}
		for _, n := range named {
			folder, test, part := n[1], n[2], n[3]
			if _, seen := folders[folder]; !seen {
				folders[folder] = testsOf(t, folder)
			}
			if !folders[folder].tests[test] {
				t.Errorf("%s: there is no test %s in %s", strings.TrimSpace(cells[0]), test, folder)
			}
			if part != "" && !folders[folder].literals[part] {
				t.Errorf("%s: %s.%s has no part %q", strings.TrimSpace(cells[0]), folder, test, part)
			}
		}
	}
	if next != 51 {
		t.Errorf("%d cases, expected 50", next-1)
	}
}
