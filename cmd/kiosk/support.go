package main

// The support bundle: how a terminal is, for whoever is asked for help. Nothing in it is a citizen's.

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
)

// keepSupport is how many bundles are kept beside the journal.
const keepSupport = 3

// writeSupport writes a bundle into the data directory and says where.
func (t *terminal) writeSupport(ctx context.Context) (string, error) {
	dir := filepath.Join(t.cfg.Terminal.Data, "support")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	b, err := t.support(ctx)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, fmt.Sprintf("%s-%s.tar.gz", t.cfg.Terminal.ID, time.Now().UTC().Format("20060102T150405")))
	if err := writeSynced(path, b); err != nil {
		return "", err
	}
	old, _ := filepath.Glob(filepath.Join(dir, "*.tar.gz"))
	for i := 0; i < len(old)-keepSupport; i++ {
		_ = os.Remove(old[i])
	}
	return path, nil
}

// support packs log, lanes, devices, stock, desk and findings. Of cases it has receipt codes, items and states.
func (t *terminal) support(ctx context.Context) ([]byte, error) {
	packed, err := t.bundle()
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	log, err := io.ReadAll(io.LimitReader(z, 2*ringBytes))
	if err != nil {
		return nil, err
	}
	lanes, err := t.journal.Lanes()
	if err != nil {
		return nil, err
	}
	waiting, err := desk.New(t.journal, desk.Options{}).List()
	if err != nil {
		return nil, err
	}
	stock := map[string]any{}
	for _, k := range []string{journal.StockCard, journal.StockSheet, journal.StockSlip, journal.StockRibbon} {
		if stock[k], err = t.journal.StockBalance(k); err != nil {
			return nil, err
		}
	}
	findings := append(append(checkData(t.cfg), checkMachine(t.cfg, theMachine())...), checkItems(t.cfg)...)
	findings = append(append(findings, checkIdentity(t.cfg, time.Now())...), checkPlatform(ctx, t.cfg)...)
	states := []any{}
	for _, r := range roles(t.cfg) {
		states = append(states, t.sup.Status(r))
	}
	files := []struct {
		name string
		v    any
	}{{"doctor.json", findings}, {"lanes.json", lanes}, {"stock.json", stock}, {"desk.json", waiting}, {"devices.json", states}, {"plugged-in.json", discover()}}
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	tw := tar.NewWriter(gz)
	put := func(name string, b []byte) error {
		err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(b)), ModTime: time.Now()})
		if err == nil {
			_, err = tw.Write(b)
		}
		return err
	}
	err = put("terminal.txt", log)
	for _, f := range files {
		b, merr := json.MarshalIndent(f.v, "", "  ")
		err = errors.Join(err, merr, put(f.name, b))
	}
	if err = errors.Join(err, tw.Close(), gz.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
