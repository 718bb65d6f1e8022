package main

// The city: server processes of the real platform over one store, which can be killed, and restored from an old backup.

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/test/cluster"
)

var nothing = log.New(io.Discard, "", 0)

// city is the platform.
type city struct {
	program     string
	dir         string         // keys, blobs, and SQLite's file unless store says otherwise
	store       string         // "" is SQLite in dir; else the URL by which this process finds it
	serves      string         // the URL for `platform serve --store`, where it is another
	house       *cluster.House // where the servers are; nil is here, behind the gateways
	ca          string
	gatewayCert string
	gatewayKey  string
	trusted     string // what terminals trust: the gateway that they see, and the authority behind it that lets them in
	addresses   []string
	servers     []*exec.Cmd
	age         atomic.Int64 // how often it was set back
}

func newCity(o options, dir string) (*city, error) {
	c := &city{program: o.platform, dir: filepath.Join(dir, "platform"), store: o.store, serves: o.store, trusted: filepath.Join(dir, "trusted.pem"),
		gatewayCert: filepath.Join(dir, "gateway.pem"), gatewayKey: filepath.Join(dir, "gateway.key")}
	c.ca = filepath.Join(c.dir, "ca.pem")
	if err := c.makeGatewayCert(); err != nil {
		return nil, err
	}
	if o.site != nil {
		c.house, c.serves, c.addresses = o.site.city, o.site.store, o.site.servers
		c.servers = make([]*exec.Cmd, len(c.addresses))
	}
	for len(c.servers) < o.servers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		c.addresses, c.servers = append(c.addresses, l.Addr().String()), append(c.servers, nil)
		if err := l.Close(); err != nil {
			return nil, err
		}
	}
	for i := range c.servers {
		if err := c.start(i); err != nil {
			return nil, err
		}
	}
	return c, c.writeTrusted()
}

func (c *city) writeTrusted() error {
	var all []byte
	for _, name := range []string{c.gatewayCert, c.ca} {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		all = append(all, b...)
	}
	return os.WriteFile(c.trusted, all, 0o600)
}

// codes are what the terminals are let in with, made beside the running servers as an operator makes them.
func (c *city) codes(ctx context.Context, terminals []string) (map[string]string, error) {
	p, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	codes := map[string]string{}
	for _, t := range terminals {
		if codes[t], _, err = p.IssueCode(ctx, t, 0, platform.Operator{Who: "torture"}); err != nil {
			break
		}
	}
	return codes, errors.Join(err, p.Close())
}

// open opens the platform beside its servers.
func (c *city) open(ctx context.Context) (*platform.Server, error) {
	cfg := platform.Config{Dir: c.dir}
	if c.store != "" {
		var err error
		if cfg.Store, err = platform.OpenPostgres(ctx, c.store); err != nil {
			return nil, err
		}
	}
	return platform.New(ctx, cfg)
}

// makeGatewayCert makes the certificate that the gateway shows; terminals trust it as an inspecting gateway's.
func (c *city) makeGatewayCert() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "torture gateway"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(c.gatewayCert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(c.gatewayKey, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
}

// start runs one server until it listens.
func (c *city) start(i int) error {
	args := []string{"serve", "--listen", c.addresses[i], "--data", c.dir}
	if c.house == nil {
		args = append(args, "--gateway")
	} else {
		args = append(args, "--host", c.house.Address)
	}
	if c.serves != "" {
		args = append(args, "--store", c.serves)
	}
	cmd := exec.Command(c.program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	complaints, err := os.OpenFile(filepath.Join(filepath.Dir(c.dir), fmt.Sprintf("platform-%d.log", i)), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer complaints.Close()
	cmd.Stderr = complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if c.house != nil {
		err = c.house.Start(cmd)
	} else {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "listening") {
		return errors.Join(fmt.Errorf("platform says %q: %w, see %s", line, err, complaints.Name()), cmd.Process.Kill(), cmd.Wait())
	}
	c.servers[i] = cmd
	return nil
}

// kill ends a server as a power cut would.
func (c *city) kill(i int) {
	if cmd := c.servers[i]; cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		c.servers[i] = nil
	}
}

func (c *city) close() {
	for i := range c.servers {
		c.kill(i)
	}
}

// The files of SQLite.
var sqliteFiles = []string{"platform.db", "platform.db-wal", "platform.db-shm"}

// backup copies the store's files aside; every server must be dead. SQLite only.
func (c *city) backup(to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for _, name := range sqliteFiles[:2] {
		b, err := os.ReadFile(filepath.Join(c.dir, name))
		if errors.Is(err, os.ErrNotExist) {
			err = os.Remove(filepath.Join(to, name))
			if errors.Is(err, os.ErrNotExist) {
				err = nil
			}
		} else if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// restore puts a backup back; every server must be dead.
func (c *city) restore(from string) error {
	for _, name := range sqliteFiles {
		if err := os.Remove(filepath.Join(c.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for _, name := range sqliteFiles[:2] {
		b, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(c.dir, name), b, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// holds says whether the platform has a blob.
func (c *city) holds(hash string) bool {
	_, err := os.Stat(filepath.Join(c.dir, "blobs", hash))
	return err == nil
}
