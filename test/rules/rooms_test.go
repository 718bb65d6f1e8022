// Package rules keeps the house rules that span rooms as tests: who may import whom, what every package must say of
// itself, and what must not appear anywhere.
package rules

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/budayang/kiosk/"

// mayImport is the table of docs/architecture.md. A key is a room (longest match wins); "*" allows everything.
var mayImport = map[string][]string{
	"cmd":                   {"*"},
	"test":                  {"*"},
	"ui":                    {"ui", "service", "devices", "slip", "idnum", "assets"},
	"service":               {"service", "service/photo", "service/finger", "service/cardface", "devices", "sync/journal", "slip", "idnum", "assets"},
	"service/cardface":      {"devices/profile", "assets"},
	"service/finger":        {},
	"service/guidance":      {"service", "devices"},
	"service/photo":         {"devices/profile"},
	"devices":               {"slip", "idnum"},
	"devices/bus":           {"devices", "slip", "idnum"},
	"devices/supervisor":    {"devices", "devices/bus", "slip", "idnum"},
	"devices/profile":       {},
	"devices/idcard":        {"devices", "devices/bus", "slip", "idnum"},
	"devices/receipt":       {"devices", "devices/bus", "devices/profile", "slip", "idnum"},
	"devices/fingerprint":   {"devices", "devices/profile"},
	"devices/document":      {"devices", "devices/bus", "slip", "idnum"},
	"devices/scanner":       {"devices", "devices/bus", "devices/profile", "slip", "idnum"},
	"devices/sound":         {"devices"},
	"devices/ups":           {"devices", "devices/bus", "slip", "idnum"},
	"devices/camera":        {"devices"},
	"devices/ioboard":       {"devices", "devices/profile"},
	"devices/smartcard":     {"devices", "idnum"},
	"devices/card":          {"devices", "devices/bus", "slip", "idnum"},
	"devices/sim":           {"devices", "devices/bus", "devices/sim", "slip", "idnum"},
	"sync/wire":             {},
	"sync/journal":          {"sync/wire", "sync/journal"},
	"sync/uplink":           {"sync/journal", "sync/wire", "sync/uplink"},
	"platform":              {"platform", "sync/wire", "slip", "idnum", "assets"},
	"platform/conform":      {"sync/wire", "idnum"},
	"slip":                  {},
	"idnum":                 {},
	"private":               {"idnum"},
	"assets":                {},
	"platform/pay":          {},
	"platform/pay/paysim":   {},
	"platform/pay/nontax":   {"platform/pay"},
	"platform/pay/outbound": {},
	"platform/pay/wechat":   {"platform/pay", "platform/pay/outbound"},
	"platform/pay/alipay":   {"platform/pay", "platform/pay/outbound"},
}

// onlyDevices: of the room devices these rooms may know the roles and words, not what lies below.
var exact = map[string]bool{"devices": true, "platform/pay": true}

// foreign lists what a room must not pull in from outside, directly.
var foreign = map[string][]string{
	"service":  {"fyne.io/", "net/http", "github.com/tarm/serial", "github.com/google/gousb"},
	"ui":       {"net/http", "go.etcd.io/bbolt", "database/sql", "fyne.io/fyne/v2/app"},
	"devices":  {"fyne.io/"},
	"platform": {"fyne.io/"},
	"sync":     {"fyne.io/"},
}

type pkg struct {
	ImportPath string
	Dir        string
	Doc        string
	Name       string
	Imports    []string
	GoFiles    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Name,Imports,GoFiles", "-tags", "ci", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func room(path string) string {
	rel := strings.TrimPrefix(path, module)
	for r := rel; r != "." && r != ""; r = filepath.Dir(r) {
		if _, ok := mayImport[r]; ok {
			return r
		}
	}
	return ""
}

func allowed(from string, to string) bool {
	rel := strings.TrimPrefix(to, module)
	for _, a := range mayImport[from] {
		if a == "*" || rel == a || (!exact[a] && strings.HasPrefix(rel, a+"/")) {
			return true
		}
	}
	return false
}

func TestRoomsKnowOnlyWhomTheyMay(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		from := room(p.ImportPath)
		if from == "" {
			t.Errorf("%s is in no room of the table", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, module) && room(imp) != from && !allowed(from, imp) {
				t.Errorf("%s (room %s) imports %s", p.ImportPath, from, imp)
			}
			for area, list := range foreign {
				if from != area && !strings.HasPrefix(from, area+"/") {
					continue
				}
				for _, f := range list {
					if imp == f || strings.HasPrefix(imp, f) {
						t.Errorf("%s imports %s", p.ImportPath, imp)
					}
				}
			}
		}
		seen++
	}
	if seen < 10 {
		t.Fatalf("only %d packages seen: the walk is broken", seen)
	}
}

func TestEveryPackageSaysWhyItExists(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

func TestTableHasNoStaleRoom(t *testing.T) {
	var rooms []string
	for _, p := range packages(t) {
		rooms = append(rooms, room(p.ImportPath))
	}
	for r := range mayImport {
		if !slices.Contains(rooms, r) {
			t.Errorf("room %s has no package", r)
		}
	}
}
