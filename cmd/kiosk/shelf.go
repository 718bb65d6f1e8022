package main

// The shelf: releases of items that the platform sent, each in a directory of its own, verified before it is used.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// shelf is a directory:
//
//	current            JSON of what is offered and what was before it
//	<revision>/*.yaml
type shelf struct {
	dir string
	log *slog.Logger
}

// shelfState says which revision is offered; 0 is what came with the program.
type shelfState struct {
	Now    int64 `json:"now"`
	Before int64 `json:"before"`
}

var itemFile = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,47}\.yaml$`)

func (s shelf) state() (st shelfState) {
	b, err := os.ReadFile(filepath.Join(s.dir, "current"))
	if err == nil {
		err = json.Unmarshal(b, &st)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Error("items: which release is offered cannot be read; using what came with the program", "error", err)
		return shelfState{}
	}
	return st
}

// load reads a revision, which must be whole.
func (s shelf) load(revision int64) (service.Items, error) {
	if revision == 0 {
		sub, err := fs.Sub(assets.FS, "items")
		if err != nil {
			return nil, err
		}
		return service.Load(sub)
	}
	return loadItems(filepath.Join(s.dir, strconv.FormatInt(revision, 10)))
}

func loadItems(dir string) (service.Items, error) {
	items, err := service.Load(os.DirFS(dir))
	if err == nil && len(items) == 0 {
		err = errors.New("a release without items")
	}
	return items, err
}

// offered is what to offer at a start: the current release, or the one before it when that does not load, or what came with
// the program.
func (s shelf) offered() (items service.Items, revision int64, err error) {
	st := s.state()
	for _, revision := range []int64{st.Now, st.Before, 0} {
		items, lerr := s.load(revision)
		if lerr == nil {
			return items, revision, nil
		}
		s.log.Error("items: a release does not load", "revision", revision, "error", lerr)
		err = errors.Join(err, lerr)
	}
	return nil, 0, err
}

// former are the items of all other releases, for the cases that were begun with them.
func (s shelf) former() (all service.Items) {
	revisions := []int64{0}
	dirs, _ := os.ReadDir(s.dir)
	for _, d := range dirs {
		if n, err := strconv.ParseInt(d.Name(), 10, 64); err == nil && n > 0 && d.IsDir() {
			revisions = append(revisions, n)
		}
	}
	for _, n := range revisions {
		if items, err := s.load(n); err == nil {
			all = append(all, items...)
		}
	}
	return all
}

// here are the items that this terminal offers: those that its configuration names, or all. A configuration that names none of
// them is no reason to offer nothing.
func here(items service.Items, codes []string) service.Items {
	if len(codes) == 0 {
		return items
	}
	var some service.Items
	for _, it := range items {
		if slices.Contains(codes, it.Code) {
			some = append(some, it)
		}
	}
	if len(some) == 0 {
		return items
	}
	return some
}

// put writes a release whole or not at all, after it loaded. A problem is the release's fault and says where it is wrong; an
// error is the disk's.
func (s shelf) put(r wire.ItemsRelease) (items service.Items, problem, err error) {
	if r.Revision <= 0 || len(r.Files) == 0 {
		return nil, errors.New("a release has a revision above 0 and files"), nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, nil, err
	}
	tmp, err := os.MkdirTemp(s.dir, ".new-*")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	for name, text := range r.Files {
		if !itemFile.MatchString(name) {
			return nil, fmt.Errorf("file name %.60q, expected letters, digits and hyphens, then .yaml", name), nil
		}
		if err := writeSynced(filepath.Join(tmp, name), []byte(text)); err != nil {
			return nil, nil, err
		}
	}
	if items, problem = loadItems(tmp); problem != nil {
		return nil, problem, nil
	}
	if err := syncDirectory(tmp); err != nil {
		return nil, nil, err
	}
	to := filepath.Join(s.dir, strconv.FormatInt(r.Revision, 10))
	// The same revision is sent again to roll back to it; what lies there may have been spoilt since.
	if err := os.RemoveAll(to); err != nil {
		return nil, nil, err
	}
	if err := errors.Join(os.Rename(tmp, to), syncDirectory(s.dir)); err != nil {
		return nil, nil, err
	}
	return items, nil, nil
}

// choose makes a revision the current one.
func (s shelf) choose(revision int64) error {
	st := s.state()
	if st.Now == revision {
		return nil
	}
	return replaceJSON(filepath.Join(s.dir, "current"), shelfState{Now: revision, Before: st.Now})
}

// tidy removes releases that are neither offered, nor the one before, nor pinned by a case.
func (s shelf) tidy(pinned map[wire.Hash]bool) {
	st := s.state()
	dirs, _ := os.ReadDir(s.dir)
	for _, d := range dirs {
		n, err := strconv.ParseInt(d.Name(), 10, 64)
		if err != nil || n == st.Now || n == st.Before {
			continue
		}
		items, err := s.load(n)
		used := err != nil // what does not load is for a person to look at
		for _, it := range items {
			used = used || pinned[it.Hash]
		}
		if !used {
			_ = os.RemoveAll(filepath.Join(s.dir, d.Name()))
		}
	}
}

// items takes a release: it is loaded before it is offered, and what is offered stays when it does not load.
func (t *terminal) items(_ context.Context, m wire.Message) (uplink.Doing, error) {
	var r wire.ItemsRelease
	if err := json.Unmarshal(m.Body, &r); err != nil {
		return refusedOrder("body cannot be read"), nil
	}
	items, problem, err := t.shelf.put(r)
	if err != nil {
		return uplink.Doing{}, err
	}
	if problem != nil {
		return refusedOrder("%.1500v", problem), nil
	}
	if err := t.shelf.choose(r.Revision); err != nil {
		return uplink.Doing{}, err
	}
	if err := t.engine.SetItems(here(items, t.cfg.Terminal.Items), t.shelf.former()); err != nil {
		return uplink.Doing{}, err
	}
	t.itemsRevision.Store(r.Revision)
	t.tidyItems()
	d := doneOrder(fmt.Sprintf("%d items", len(items)))
	d.Result.Revision = r.Revision
	return d, nil
}

func (t *terminal) tidyItems() {
	pinned := map[wire.Hash]bool{}
	cases, err := t.journal.Cases(func(c journal.Case) bool { _, swept := c.Steps["swept"]; return !swept })
	if err != nil {
		t.log.Error("items: cases", "error", err)
		return
	}
	for _, c := range cases {
		pinned[c.ItemHash] = true
	}
	t.shelf.tidy(pinned)
}
