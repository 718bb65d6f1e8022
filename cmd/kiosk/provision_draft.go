package main

// The draft of a provisioning: read whatever version wrote it. What is not known any more is dropped and named, what is missing is asked,
// and a file that cannot be read at all is kept beside the new one.

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
)

// maxDraft bounds what is read of a draft, in bytes.
const maxDraft = 1 << 20

// errDraft: what lies there is no draft of any version.
var errDraft = errors.New("not a draft of kiosk provision")

// newDraft has no answers.
func newDraft() draft {
	return draft{Config: config.Default(), Done: map[string]service.Text{}, Tests: map[devices.Role]service.Text{}, Loaded: map[string]int{}}
}

// readDraft fills d with a draft's answers and returns the fields that were not taken over, as paths such as "config.Screen.Width". The
// error is errDraft.
func readDraft(b []byte, d *draft) (dropped []string, err error) {
	var top map[string]json.RawMessage
	if len(b) > maxDraft || json.Unmarshal(b, &top) != nil || top == nil {
		return nil, errDraft
	}
	if dropped = takeOver(reflect.ValueOf(d).Elem(), b, ""); len(dropped) == 0 {
		return nil, nil
	}
	slices.Sort(dropped)
	return dropped, nil
}

var (
	textType     = reflect.TypeFor[service.Text]()
	readsItsText = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// takeOver reads JSON into a value as far as it fits, and returns the paths of what does not.
func takeOver(v reflect.Value, b json.RawMessage, path string) (dropped []string) {
	member := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	whole := func() []string {
		fresh := reflect.New(v.Type())
		if json.Unmarshal(b, fresh.Interface()) != nil {
			return []string{path}
		}
		v.Set(fresh.Elem())
		return nil
	}
	var parts map[string]json.RawMessage
	switch {
	case string(bytes.TrimSpace(b)) == "null": // says nothing
	case v.Type() == textType:
		// The first version wrote sentences in one language.
		var sentence string
		if json.Unmarshal(b, &sentence) == nil {
			v.Set(reflect.ValueOf(plainText(sentence)))
			return nil
		}
		return whole()
	case v.Kind() == reflect.Struct && !v.Addr().Type().Implements(readsItsText):
		if json.Unmarshal(b, &parts) != nil {
			return []string{path}
		}
		for name, part := range parts {
			if f := memberOf(v, name); f.IsValid() {
				dropped = append(dropped, takeOver(f, part, member(name))...)
			} else {
				dropped = append(dropped, member(name))
			}
		}
	case v.Kind() == reflect.Map:
		if json.Unmarshal(b, &parts) != nil {
			return []string{path}
		}
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		for name, part := range parts {
			one := reflect.New(v.Type().Elem()).Elem()
			lost := takeOver(one, part, member(name))
			dropped = append(dropped, lost...)
			if !slices.Contains(lost, member(name)) {
				v.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), one)
			}
		}
	default:
		return whole()
	}
	return dropped
}

// memberOf is the field that JSON calls so, as encoding/json finds it.
func memberOf(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		called, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if called == "" {
			called = f.Name
		}
		if f.IsExported() && strings.EqualFold(called, name) {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

// takeDraft reads the draft that lies beside the configuration. found is false where there is none; note says what a technician must
// know about it.
func (f *flow) takeDraft() (found bool, note service.Text, err error) {
	in, err := os.Open(f.draftPath())
	if errors.Is(err, os.ErrNotExist) {
		return false, note, nil
	}
	if err != nil {
		return false, note, err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxDraft+1))
	if err != nil {
		return false, note, fmt.Errorf("%s: %w", f.draftPath(), err)
	}
	was := f.draft
	f.draft = newDraft()
	f.draft.Config.Terminal.Data, f.draft.Config.Platform.CA = was.Config.Terminal.Data, was.Config.Platform.CA
	dropped, err := readDraft(b, &f.draft)
	if err != nil {
		aside := f.draftPath() + ".unreadable-" + time.Now().UTC().Format("20060102T150405")
		if err := os.Rename(f.draftPath(), aside); err != nil {
			return false, note, err
		}
		f.draft = was
		f.draft.LoadedLost = true
		return false, service.T("prov.draft.unreadable", "file", aside), nil
	}
	dropped = append(dropped, f.mend()...)
	slices.Sort(dropped)
	dropped = slices.Compact(dropped)
	if len(dropped) > 0 {
		// Whatever it meant stays where somebody can read it.
		aside := f.draftPath() + ".before-" + time.Now().UTC().Format("20060102T150405")
		if err := os.WriteFile(aside, b, 0o600); err != nil {
			return false, note, err
		}
		note = service.T("prov.draft.older", "fields", someOf(dropped, 12), "file", aside)
		if slices.ContainsFunc(dropped, func(path string) bool { return path == "loaded" || strings.HasPrefix(path, "loaded.") }) {
			f.draft.LoadedLost = true
		}
	}
	return true, note, nil
}

// someOf names at most n of them.
func someOf(all []string, n int) string {
	if len(all) > n {
		return strings.Join(all[:n], ", ") + " … (" + fmt.Sprint(len(all)) + ")"
	}
	return strings.Join(all, ", ")
}

// mend drops what no step of this version could have answered, and opens again the steps whose answers are missing or would be
// refused.
func (f *flow) mend() (dropped []string) {
	d := &f.draft
	if !slices.Contains(service.Languages, d.Config.Screen.Language) {
		if d.Config.Screen.Language != "" {
			dropped = append(dropped, "config.Screen.Language")
		}
		d.Config.Screen.Language = f.Language
		delete(d.Done, "language")
	}
	if d.Rotate != "" && !slices.Contains(turns, d.Rotate) {
		d.Rotate = ""
		delete(d.Done, "screen")
		dropped = append(dropped, "rotate")
	}
	var wrong []string // keys that the configuration's check refuses
	problems := func() []string {
		_, err := config.Parse(f.provisionCmd.Config, writeConfig(d.Config))
		var keys []string
		for _, e := range unjoin(err) {
			var p config.Problem
			if errors.As(e, &p) {
				keys = append(keys, p.Key)
			}
		}
		return keys
	}
	for _, key := range problems() {
		role, _, _ := strings.Cut(strings.TrimPrefix(key, "device."), ".")
		if _, has := d.Config.Device[devices.Role(role)]; strings.HasPrefix(key, "device.") && has {
			delete(d.Config.Device, devices.Role(role))
			delete(d.Tests, devices.Role(role))
			delete(d.Done, "devices")
			dropped = append(dropped, "config.Device."+role)
		}
	}
	wrong = problems()
	refused := func(prefix string) bool {
		return slices.ContainsFunc(wrong, func(key string) bool { return strings.HasPrefix(key, prefix) })
	}
	var known []string
	for _, s := range f.steps() {
		known = append(known, s.id)
	}
	for id := range d.Done {
		if !slices.Contains(known, id) {
			delete(d.Done, id)
			dropped = append(dropped, "done."+id)
		}
	}
	open := func(step string, missing bool) {
		if missing {
			delete(d.Done, step)
		}
	}
	open("identity", refused("terminal."))
	open("screen", refused("screen."))
	open("platform", refused("platform."))
	open("enrol", d.Done["identity"].IsZero() || d.Done["platform"].IsZero())
	open("technician", d.Operator == "")
	open("devices", len(d.Config.Device) == 0)
	for _, s := range f.steps() {
		if s.id != "report" && !s.optional && d.Done[s.id].IsZero() {
			delete(d.Done, "report")
		}
	}
	return dropped
}
