// Package profile reads what differs from model to model, or from one terminal's wiring to another's, as data.
//
// Drivers keep such data in TOML files that are built into the program, one a model, and a person chooses one by name. A
// driver describes a profile as a struct with toml tags and says with a check what its values may be:
//
//	//go:embed profiles/*.toml
//	var built embed.FS
//
//	p, err := profile.Load(built, "code scanner", "honeywell", Profile.check)
//
// Whoever writes a profile is no programmer, so that every mistake is named with file, line or key, and what was expected. A
// key that does not exist is a mistake. Files are bounded ([MaxBytes]).
//
// The package is a leaf below the drivers: a driver may not import another, and this is what they have in common.
package profile

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// MaxBytes is the largest profile that is read.
const MaxBytes = 64 << 10

// Bytes are written as hex digits with spaces, "1d 56 42 00"; at most 32 of them.
type Bytes []byte

// UnmarshalText reads hex.
func (b *Bytes) UnmarshalText(t []byte) error {
	v, err := hex.DecodeString(strings.ReplaceAll(string(t), " ", ""))
	if err != nil || len(v) > 32 {
		return errors.New("no hex digits of at most 32 bytes")
	}
	if *b = v; len(v) == 0 {
		*b = nil
	}
	return nil
}

// MarshalText writes hex.
func (b Bytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

// Names are the profiles in the folder "profiles" of files, in alphabetical order.
func Names(files fs.FS) []string {
	all, _ := fs.Glob(files, "profiles/*.toml")
	for i, f := range all {
		all[i] = strings.TrimSuffix(path.Base(f), ".toml")
	}
	slices.Sort(all)
	return all
}

// Load reads a built-in profile by its name; another name's error says which there are. what says whose profiles these are.
// check gets the file's name and returns what is wrong with the values; nil checks nothing.
func Load[P any](files fs.FS, what, name string, check func(p P, file string) error) (P, error) {
	if !slices.Contains(Names(files), name) {
		var none P
		return none, fmt.Errorf("%s profile %q: there are %s", what, name, strings.Join(Names(files), ", "))
	}
	text, err := fs.ReadFile(files, "profiles/"+name+".toml")
	if err != nil {
		var none P
		return none, fmt.Errorf("%s profile %q: %w", what, name, err)
	}
	return Parse(name+".toml", text, check)
}

// Parse reads and checks a profile. Its errors begin with the file's name.
func Parse[P any](file string, text []byte, check func(p P, file string) error) (p P, err error) {
	if len(text) > MaxBytes {
		return p, fmt.Errorf("%s: larger than %d KiB", file, MaxBytes>>10)
	}
	var raw map[string]any
	if err := toml.Unmarshal(text, &raw); err != nil {
		var one *toml.DecodeError
		if errors.As(err, &one) {
			row, _ := one.Position()
			return p, fmt.Errorf("%s:%d: %w", file, row, err)
		}
		return p, fmt.Errorf("%s: %w", file, err)
	}
	if err := kinds(file, "", raw, reflect.TypeFor[P]()); err != nil {
		return p, err
	}
	d := toml.NewDecoder(strings.NewReader(string(text))).DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) && len(strict.Errors) > 0 {
			row, _ := strict.Errors[0].Position()
			return p, fmt.Errorf("%s:%d: %s: no such key", file, row, strings.Join(strict.Errors[0].Key(), "."))
		}
		return p, fmt.Errorf("%s: %w", file, err)
	}
	if check != nil {
		err = check(p, file)
	}
	return p, err
}

// kinds holds the file's values against the struct's types, before a decoder does with less telling words.
func kinds(file, within string, raw map[string]any, t reflect.Type) error {
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		fields[t.Field(i).Tag.Get("toml")] = t.Field(i).Type
	}
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		field, known := fields[key]
		if !known {
			continue
		}
		if field.Kind() == reflect.Slice && field.Elem().Kind() == reflect.Struct {
			tables, ok := raw[key].([]any)
			for i := range tables {
				table, is := tables[i].(map[string]any)
				if ok = ok && is; !ok {
					break
				}
				if err := kinds(file, fmt.Sprintf("%s%s[%d].", within, key, i), table, field.Elem()); err != nil {
					return err
				}
			}
			if !ok {
				return fmt.Errorf("%s: %s%s: expected tables, [[%s]]", file, within, key, key)
			}
			continue
		}
		if expected, fits := kind(field); !fits(raw[key]) {
			return fmt.Errorf("%s: %s%s: %v, expected %s", file, within, key, raw[key], expected)
		}
	}
	return nil
}

func is[T any](v any) bool { _, ok := v.(T); return ok }

// Command is what a key of [Bytes] takes, in words.
const Command = `at most 32 bytes as hex digits, "1d 56 42 00"`

// kind is what a field takes, in words and as a test. A type that no profile may have panics: it is a programming mistake.
func kind(t reflect.Type) (expected string, fits func(any) bool) {
	switch {
	case t == reflect.TypeFor[Bytes]():
		return Command, func(v any) bool {
			s, ok := v.(string)
			return ok && new(Bytes).UnmarshalText([]byte(s)) == nil
		}
	case t.Kind() == reflect.Int:
		return "a whole number", is[int64]
	case t.Kind() == reflect.Float64:
		return "a number", func(v any) bool { return is[int64](v) || is[float64](v) }
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Float64: // one that may be left out
		return kind(t.Elem())
	case t.Kind() == reflect.String:
		return "a word in quotes", is[string]
	case t.Kind() == reflect.Bool:
		return "true or false", is[bool]
	}
	panic("profile: a field of type " + t.String())
}

// OneOf is the error for a value that is none of all, or nil.
func OneOf(file, key, v string, all ...string) error {
	if slices.Contains(all, v) {
		return nil
	}
	return fmt.Errorf("%s: %s: %q, expected one of %q", file, key, v, all)
}

// Within is the error for a number that is not from least to most, or nil.
func Within(file, key string, n, least, most int) error {
	if n >= least && n <= most {
		return nil
	}
	return fmt.Errorf("%s: %s: %d, expected %d to %d", file, key, n, least, most)
}
