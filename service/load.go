// Reading item files: strictly, bounded, with errors that name file, line and what was expected.

package service

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Limits of item files.
const (
	maxItemFile = 64 << 10
	maxItems    = 200
	maxSteps    = 32
	maxNesting  = 16
)

// An ItemError says where an item file is wrong and what was expected.
type ItemError struct {
	File string
	Line int // from 1; 0 when the whole file is meant
	Err  error
}

func (e *ItemError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Err.Error()
	}
	return e.File + ":" + strconv.Itoa(e.Line) + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *ItemError) Unwrap() error { return e.Err }

// Load reads every *.yaml file of a directory, assets/items or one like it. It returns the items in the order of the home
// screen, or all that is wrong with all files.
func Load(fsys fs.FS) (Items, error) {
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list items: %w", err)
	}
	if len(names) > maxItems {
		return nil, fmt.Errorf("list items: %d files, limit %d", len(names), maxItems)
	}
	var (
		items Items
		errs  []error
		seen  = map[string]string{}
	)
	for _, name := range names {
		data, err := readBounded(fsys, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		it, err := parseItem(name, data)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if other, ok := seen[it.Code]; ok {
			errs = append(errs, &ItemError{File: name, Err: fmt.Errorf("code %q is taken by %s", it.Code, other)})
			continue
		}
		seen[it.Code] = name
		items = append(items, it)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	slices.SortStableFunc(items, func(a, b *Item) int {
		if a.Order != b.Order {
			return a.Order - b.Order
		}
		return strings.Compare(a.Code, b.Code)
	})
	return items, nil
}

func readBounded(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read item: %w", err)
	}
	if info.Size() > maxItemFile {
		return nil, &ItemError{File: name, Err: fmt.Errorf("%d bytes, limit %d", info.Size(), maxItemFile)}
	}
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read item: %w", err)
	}
	return data, nil
}

// itemFile is an item as it stands in its file.
type itemFile struct {
	Code        string       `yaml:"code"`
	Schema      int          `yaml:"schema"`
	Zone        string       `yaml:"zone"`
	Icon        string       `yaml:"icon"`
	Order       int          `yaml:"order"`
	Name        Words        `yaml:"name"`
	Hint        Words        `yaml:"hint"`
	Level       Level        `yaml:"level"`
	Hours       string       `yaml:"hours"`
	Days        []string     `yaml:"days"`
	Offline     Offline      `yaml:"offline"`
	Retention   string       `yaml:"retention"`
	Outputs     []string     `yaml:"outputs"`
	Consumables []Consumable `yaml:"consumables"`
	Steps       []ast.Node   `yaml:"steps"`
}

var (
	longRun  = regexp.MustCompile(`[0-9]{9}`)
	codeForm = regexp.MustCompile(`^[A-Z0-9][A-Z0-9-]{0,15}$`)
	idForm   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	outputs  = []string{"document", "receipt", "screen"}
	zones    = []string{"social", "property", "police", "hotline", "guide", "utility", "other"}
	weekdays = map[string]time.Weekday{"mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6, "sun": 0}
)

// parseItem reads one item file.
func parseItem(name string, data []byte) (*Item, error) {
	fail := func(line int, err error) (*Item, error) { return nil, &ItemError{File: name, Line: line, Err: err} }
	if len(data) > maxItemFile {
		return fail(0, fmt.Errorf("%d bytes, limit %d", len(data), maxItemFile))
	}
	if line, err := shallow(data); err != nil {
		return fail(line, err)
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return fail(at(err), plain(err))
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return fail(0, fmt.Errorf("%d documents, expected one", len(file.Docs)))
	}
	body := file.Docs[0].Body
	if err := tame(body); err != nil {
		return nil, within(name, err)
	}
	var f itemFile
	if err := yaml.NodeToValue(body, &f, yaml.Strict()); err != nil {
		return fail(at(err), expecting(err, f))
	}
	it, err := f.item()
	if err != nil {
		return fail(lineOf(body), err)
	}
	if it.Steps, err = parseSteps(f.Steps); err != nil {
		return nil, within(name, err)
	}
	if err := it.check(); err != nil {
		return fail(lineOf(body), err)
	}
	it.File, it.Hash = path.Base(name), sha256.Sum256(data)
	return it, nil
}

func (f itemFile) item() (*Item, error) {
	it := &Item{
		Code: f.Code, Schema: f.Schema, Zone: f.Zone, Icon: f.Icon, Order: f.Order, Name: f.Name, Hint: f.Hint,
		Level: f.Level, Offline: f.Offline, Outputs: f.Outputs, Needs: f.Consumables,
	}
	var err error
	if it.Hours.From, it.Hours.To, err = parseHours(f.Hours); err != nil {
		return nil, err
	}
	for _, d := range f.Days {
		w, ok := weekdays[d]
		if !ok {
			return nil, fmt.Errorf("day %q, expected one of mon tue wed thu fri sat sun", d)
		}
		it.Hours.Days = append(it.Hours.Days, w)
	}
	if f.Retention != "" {
		if it.Retention, err = time.ParseDuration(f.Retention); err != nil || it.Retention < 0 {
			return nil, fmt.Errorf("retention %q, expected a duration like \"24h\"", f.Retention)
		}
	}
	return it, nil
}

// check refuses what is well-formed and makes no sense.
func (it *Item) check() error {
	switch {
	case !codeForm.MatchString(it.Code):
		return fmt.Errorf("code %q, expected capitals, digits and hyphens, at most 16", it.Code)
	case longRun.MatchString(it.Code):
		return fmt.Errorf("code %q, expected fewer than nine digits in a row: it must not look like a person's number", it.Code)
	case it.Schema < 1:
		return fmt.Errorf("schema %d, expected 1 or more", it.Schema)
	case !slices.Contains(zones, it.Zone):
		return fmt.Errorf("zone %q, expected one of %s", it.Zone, strings.Join(zones, " "))
	case !idForm.MatchString(it.Icon):
		return fmt.Errorf("icon %q, expected the name of a file in assets/icons without its end", it.Icon)
	case !slices.Contains([]Level{L0, L1, L2, L3, L4}, it.Level):
		return fmt.Errorf("level %q, expected L0 to L4", it.Level)
	case !slices.Contains([]Offline{OfflineNone, OfflineFull, OfflineStore}, it.Offline):
		return fmt.Errorf("offline %q, expected none, full or store-and-forward", it.Offline)
	case len(it.Steps) == 0:
		return errors.New("no steps")
	}
	if err := it.Name.check("name", true); err != nil {
		return err
	}
	if err := it.Hint.check("hint", true); err != nil {
		return err
	}
	for _, o := range it.Outputs {
		if !slices.Contains(outputs, o) {
			return fmt.Errorf("output %q, expected one of %s", o, strings.Join(outputs, " "))
		}
	}
	for _, c := range it.Needs {
		if _, ok := consumers[c.Device]; !ok || c.Sheets < 1 {
			return fmt.Errorf("consumable of %q: %d sheets, expected a printer's role and 1 or more", c.Device, c.Sheets)
		}
	}
	return it.checkOrder()
}

// checkOrder refuses steps in an order in which they cannot succeed.
func (it *Item) checkOrder() error {
	has := map[string]bool{}
	for i, n := range it.Steps {
		k := kinds[n.Kind]
		for _, before := range k.after {
			if !has[before] {
				return fmt.Errorf("step %q needs a step %q before it", n.Name, before)
			}
		}
		if has["commit"] && k.asks {
			return fmt.Errorf("step %q asks after the commit point; ask before it", n.Name)
		}
		has[n.Kind] = true
		if k.commits {
			has["commit"] = true
		}
		if i == 0 && len(n.Bar) == 0 && len(it.Steps) > 3 {
			return errors.New("the first step has no bar label")
		}
		if it.Offline != OfflineNone && k.online {
			return fmt.Errorf("step %q needs the platform, but the item promises to work offline", n.Name)
		}
	}
	switch {
	case (it.Level == L3 || it.Level == L4) && !has["verify"]:
		return fmt.Errorf("level %s without a verify step", it.Level)
	case it.Level == L2 && !has["identify"]:
		return errors.New("level L2 without an identify step")
	case it.Level == L0 && has["identify"]:
		return errors.New("level L0 with an identify step")
	}
	return nil
}

// check wants every language, and some text in each.
func (w Words) check(what string, required bool) error {
	if len(w) == 0 && !required {
		return nil
	}
	for _, l := range Languages {
		if strings.TrimSpace(w[l]) == "" {
			return fmt.Errorf("%s has no wording in %q", what, l)
		}
	}
	for l := range w {
		if !idForm.MatchString(l) {
			return fmt.Errorf("%s: language %q, expected a tag like \"zh\"", what, l)
		}
	}
	return nil
}

// ---- the YAML underneath ----

// shallow refuses text that nests so deeply that a parser's stack would pay for it.
func shallow(data []byte) (int, error) {
	depth, line := 0, 1
	for _, c := range data {
		switch c {
		case '\n':
			line++
		case '[', '{':
			if depth++; depth > 4*maxNesting {
				return line, errors.New("nested too deeply")
			}
		case ']', '}':
			depth = max(0, depth-1)
		}
	}
	for i, l := range strings.Split(string(data), "\n") {
		if n := len(l) - len(strings.TrimLeft(l, " -?:")); n > 8*maxNesting {
			return i + 1, errors.New("nested too deeply")
		}
	}
	return 0, nil
}

// tame refuses the parts of YAML that an item has no use for: anchors, aliases, merges, tags.
func tame(n ast.Node) error {
	v := &tamer{}
	ast.Walk(v, n)
	return v.err
}

type tamer struct{ err error }

// Visit implements ast.Visitor.
func (t *tamer) Visit(n ast.Node) ast.Visitor {
	if t.err != nil || n == nil {
		return nil
	}
	switch n.Type() {
	case ast.AnchorType, ast.AliasType, ast.MergeKeyType, ast.TagType, ast.DirectiveType:
		t.err = &lineError{lineOf(n), errors.New("anchors, aliases, merges and tags are not used in item files")}
		return nil
	}
	return t
}

// lineError carries a line until the file's name is known.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return e.err.Error() }
func (e *lineError) Unwrap() error { return e.err }

func within(file string, err error) error {
	var le *lineError
	if errors.As(err, &le) {
		return &ItemError{File: file, Line: le.line, Err: le.err}
	}
	return &ItemError{File: file, Line: at(err), Err: plain(err)}
}

func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// at is the line a YAML error speaks of.
func at(err error) int {
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil && y.GetToken().Position != nil {
		return y.GetToken().Position.Line
	}
	return 0
}

// plain is a YAML error's message without the picture of the source.
func plain(err error) error {
	var y yaml.Error
	if errors.As(err, &y) {
		return errors.New(y.GetMessage())
	}
	return err
}

// expecting adds to an unknown field's error what the place knows.
func expecting(err error, v any) error {
	var unknown *yaml.UnknownFieldError
	if !errors.As(err, &unknown) {
		return plain(err)
	}
	return fmt.Errorf("%s, expected one of %s", unknown.GetMessage(), strings.Join(fieldsOf(reflect.TypeOf(v)), " "))
}

func fieldsOf(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var names []string
	for i := range t.NumField() {
		tag, opts, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		switch {
		case opts == "inline":
			names = append(names, fieldsOf(t.Field(i).Type)...)
		case tag != "" && tag != "-":
			names = append(names, tag)
		}
	}
	slices.Sort(names)
	return names
}
