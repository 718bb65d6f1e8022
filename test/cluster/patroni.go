package cluster

// Three nodes of PostgreSQL with Patroni and etcd, and HAProxy that leads to the primary: Debian's packages, started by hand.
//
// Traps of the packages (Debian 12: patroni 3.0.2, etcd 3.4.23, haproxy 2.6.12):
//
//   - patroni depends on some store's client and takes python3-pysyncobj when nothing better is named: install python3-etcd with it.
//   - Patroni 3.0.2 with a section "etcd3:" loses acknowledged data: a primary that stood still for longer than ttl (a paused virtual
//     machine) writes the leader's key unconditionally when it goes on, although another node leads by then; the other demotes itself and
//     is rewound (mended in 3.0.3, patroni/patroni#2689). A run of ours showed it. Its section "etcd:" compares before it sets; for that
//     etcd 3.4 needs --enable-v2, which is off by default, and without which Patroni never finds a leader.
//   - etcd 3.4 also has --pre-vote off: a member that comes back from a partition makes the others elect anew, and the primary may step
//     down for that.
//   - primary_start_timeout is 300 s by default: a primary that crashed is waited for that long and nobody takes over.
//   - Debian's pg_createconfig_patroni goes through postgresql-common, which knows one cluster for a name and machine. Three nodes on
//     one machine give Patroni bin_dir and data_dir of their own instead.
//   - Installing postgresql, etcd-server and haproxy starts and enables each of them: see deploy/setup/install.sh.

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Lacking says what is not installed, nil when nothing is.
func Lacking() error {
	if err := Usable(); err != nil {
		return err
	}
	for _, program := range []string{"etcd", "patroni", "haproxy"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is not installed: deploy/setup/install.sh cluster", program)
		}
	}
	_, err := binaries()
	return err
}

func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		return "", errors.New("PostgreSQL is not installed: deploy/setup/install.sh cluster")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

// Cluster is the database of a city.
type Cluster struct {
	Nodes []*Node
	City  *House // where HAProxy is, and the platform's servers belong

	town *Town
	dir  string
	as   *syscall.SysProcAttr
}

// Node is one of the three.
type Node struct {
	*House
	dir string
	c   *Cluster
}

// patroniConfig takes name, address, directory of the programs, directory of the node, password. The settings are those that a city
// needs, with shorter times: TTL, loop_wait and retry_timeout are 30, 10 and 10 s by default. Strict means that with no standby left the
// primary waits for one and acknowledges nothing, instead of going on alone.
const patroniConfig = `scope: city
namespace: /budayang/
name: %[1]s
restapi:
  listen: %[2]s:8008
  connect_address: %[2]s:8008
etcd:
  hosts: [%[6]s]
bootstrap:
  dcs:
    ttl: 12
    loop_wait: 2
    retry_timeout: 5
    maximum_lag_on_failover: 1048576
    primary_start_timeout: 0
    primary_stop_timeout: 5
    synchronous_mode: true
    synchronous_mode_strict: true
    synchronous_node_count: 1
    postgresql:
      use_pg_rewind: true
      use_slots: true
      parameters:
        max_connections: 100
        shared_buffers: 64MB
        wal_keep_size: 256MB
        max_wal_size: 512MB
        wal_log_hints: "on"
        wal_sender_timeout: 5s
        wal_receiver_timeout: 5s
        tcp_user_timeout: 5s
        synchronous_commit: "on"
  initdb: [{encoding: UTF8}, {locale: C.UTF-8}, data-checksums]
postgresql:
  listen: %[2]s:5432
  connect_address: %[2]s:5432
  bin_dir: %[3]s
  data_dir: %[4]s/data
  pgpass: %[4]s/pgpass
  remove_data_directory_on_rewind_failure: true
  remove_data_directory_on_diverged_timelines: true
  parameters: {unix_socket_directories: %[4]s}
  pg_hba:
    - local all all scram-sha-256
    - host all all 10.77.0.0/24 scram-sha-256
    - host replication replicator 10.77.0.0/24 scram-sha-256
  authentication:
    superuser: {username: postgres, password: "%[5]s"}
    replication: {username: replicator, password: "%[5]s"}
    rewind: {username: rewinder, password: "%[5]s"}
watchdog: {mode: "off"}
`

// impatience is how soon a node gives a connection up whose other end is silent, as kernel settings: after 11 s. With the kernel's own two
// hours, a pg_rewind that waits for the answer of a primary that is parted away at that moment waits for as long; its node is no standby
// meanwhile, and with the next failure nothing is acknowledged any more. Neither Patroni nor pg_rewind has a setting for it.
var impatience = map[string]string{"tcp_keepalive_time": "5", "tcp_keepalive_intvl": "2", "tcp_keepalive_probes": "3", "tcp_retries2": "5"}

// haproxyConfig takes the city's address, the directory of the socket, and the lines of both lists of servers. A server that is marked
// down has its sessions ended: else the platform would keep to a primary that is none any more.
const haproxyConfig = `global
  maxconn 4000
defaults
  mode tcp
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout check 2s
listen postgres
  bind %[1]s:5000
  bind unix@%[2]s/.s.PGSQL.5432 mode 666
  option httpchk
  http-check send meth OPTIONS uri /primary
  http-check expect status 200
  default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
%[3]s
listen platform
  bind %[1]s:8443
  default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
%[4]s
`

// Servers are the addresses at which the platform's servers are expected.
func (c *Cluster) Servers() []string {
	return []string{c.City.Address + ":8501", c.City.Address + ":8502"}
}

// Platform is the address at which terminals find one of them.
func (c *Cluster) Platform() string { return "https://" + c.City.Address + ":8443" }

// Start makes the cluster in a directory, with a database "city" of a user "budayang", and waits until it is whole.
func Start(ctx context.Context, town *Town, dir string) (*Cluster, error) {
	if err := Lacking(); err != nil {
		return nil, err
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(who.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(who.Gid)
	if err != nil {
		return nil, err
	}
	c := &Cluster{town: town, dir: dir, as: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, Pdeathsig: syscall.SIGKILL}}
	if c.City, err = town.Build("city", "10.77.0.20"); err != nil {
		return nil, err
	}
	secret := make([]byte, 16)
	_, _ = rand.Read(secret)
	password := hex.EncodeToString(secret)
	// Other users pass through to their directories; what is secret is in files of 0600.
	if err := errors.Join(os.MkdirAll(dir, 0o711), os.Chmod(dir, 0o711), os.WriteFile(c.PassFile(), []byte("*:*:*:*:"+password+"\n"), 0o600)); err != nil {
		return nil, err
	}
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	var etcds, backs []string
	for i := 1; i <= 3; i++ {
		h, err := town.Build(fmt.Sprint("n", i), fmt.Sprintf("10.77.0.%d", 10+i))
		if err != nil {
			return nil, err
		}
		for name, value := range impatience {
			if err := h.Set("net/ipv4/"+name, value); err != nil {
				return nil, err
			}
		}
		n := &Node{House: h, dir: filepath.Join(dir, h.Name), c: c}
		c.Nodes = append(c.Nodes, n)
		etcds = append(etcds, h.Address+":2379")
		backs = append(backs, fmt.Sprintf("  server %s %s:5432 check port 8008", h.Name, h.Address))
		if err := errors.Join(os.MkdirAll(n.dir, 0o700), os.Chown(n.dir, uid, gid)); err != nil {
			return nil, err
		}
	}
	for _, n := range c.Nodes {
		config := fmt.Sprintf(patroniConfig, n.Name, n.Address, bin, n.dir, password, strings.Join(etcds, ", "))
		if err := errors.Join(os.WriteFile(filepath.Join(n.dir, "patroni.yml"), []byte(config), 0o600), os.Chown(filepath.Join(n.dir, "patroni.yml"), uid, gid)); err != nil {
			return nil, err
		}
		if err := n.PowerOn(); err != nil {
			return nil, err
		}
	}
	var servers []string
	for i, s := range c.Servers() {
		servers = append(servers, fmt.Sprintf("  server s%d %s check", i+1, s))
	}
	config := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(config, fmt.Appendf(nil, haproxyConfig, c.City.Address, dir, strings.Join(backs, "\n"), strings.Join(servers, "\n")), 0o600); err != nil {
		return nil, err
	}
	if err := c.run(c.City, filepath.Join(dir, "haproxy.log"), nil, "haproxy", "-db", "-f", config); err != nil {
		return nil, err
	}
	if err := c.Whole(ctx, 2*time.Minute); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, "postgres://postgres@/postgres?host="+dir+"&passfile="+c.PassFile())
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	for _, q := range []string{"CREATE ROLE budayang LOGIN PASSWORD '" + password + "'", "CREATE DATABASE city OWNER budayang"} {
		if _, err := conn.Exec(ctx, q); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// PassFile has the password of every user, for PGPASSFILE.
func (c *Cluster) PassFile() string { return filepath.Join(c.dir, "pgpass") }

// Store is the database's address in the city's house, by HAProxy; Behind is the same from outside of all houses.
func (c *Cluster) Store() string {
	return "postgres://budayang@" + c.City.Address + ":5000/city?sslmode=disable"
}

// Behind is the database's address for a process that is in no house.
func (c *Cluster) Behind() string { return "postgres://budayang@/city?host=" + c.dir }

// run starts a program that lives until it is killed.
func (c *Cluster) run(h *House, log string, as *syscall.SysProcAttr, name string, args ...string) error {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command(name, args...)
	if as == nil {
		as = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	}
	cmd.SysProcAttr, cmd.Stdout, cmd.Stderr, cmd.Env = as, f, f, append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+filepath.Dir(log))
	if as.Credential != nil {
		cmd.Dir = filepath.Dir(log)
	}
	if err := h.Start(cmd); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }()
	return nil
}

// PowerOn starts what runs on a node.
func (n *Node) PowerOn() error { return errors.Join(n.StartEtcd(), n.StartPatroni()) }

// StartEtcd starts the node's member of etcd.
func (n *Node) StartEtcd() error {
	var all []string
	for _, m := range n.c.peers() {
		all = append(all, m[0]+"=http://"+m[1]+":2380")
	}
	return n.c.run(n.House, filepath.Join(n.dir, "etcd.log"), n.c.as, "etcd", "--name", n.Name, "--data-dir", filepath.Join(n.dir, "etcd"),
		"--listen-peer-urls", "http://"+n.Address+":2380", "--initial-advertise-peer-urls", "http://"+n.Address+":2380",
		"--listen-client-urls", "http://"+n.Address+":2379", "--advertise-client-urls", "http://"+n.Address+":2379",
		"--initial-cluster", strings.Join(all, ","), "--initial-cluster-state", "new", "--enable-v2", "--pre-vote", "--logger", "zap", "--log-level", "warn")
}

func (c *Cluster) peers() (all [][2]string) {
	for i := 1; i <= 3; i++ {
		all = append(all, [2]string{fmt.Sprint("n", i), fmt.Sprintf("10.77.0.%d", 10+i)})
	}
	return all
}

// StartPatroni starts the node's Patroni, which starts its PostgreSQL.
func (n *Node) StartPatroni() error {
	return n.c.run(n.House, filepath.Join(n.dir, "patroni.log"), n.c.as, "patroni", filepath.Join(n.dir, "patroni.yml"))
}

// PowerOff ends everything on a node at once.
func (n *Node) PowerOff() { n.Kill() }

// KillPostgres kills PostgreSQL and leaves the rest.
func (n *Node) KillPostgres() { n.Kill("postgres") }

// KillPatroni kills Patroni and leaves PostgreSQL running, with nobody to tell it that it is not the primary any more.
func (n *Node) KillPatroni() { n.Kill("patroni") }

// Member is a node as Patroni's members see it.
type Member struct {
	Name, Role, State string
	Timeline          int
}

// Members asks the nodes that answer in the city's house, until one knows.
func (c *Cluster) Members(ctx context.Context) (all []Member, err error) {
	err = errors.New("no node answers")
	for _, n := range c.Nodes {
		var view struct{ Members []Member }
		if err = c.get(ctx, n, "/cluster", &view); err == nil {
			return view.Members, nil
		}
	}
	return nil, err
}

// Primary is the node that says so in the city's house, and its timeline; nil when there is none.
func (c *Cluster) Primary(ctx context.Context) (first *Node, timeline int) {
	for _, n := range c.Nodes {
		var is struct {
			Role     string
			State    string
			Timeline int
		}
		if c.get(ctx, n, "/primary", &is) == nil && is.Timeline > timeline {
			first, timeline = n, is.Timeline
		}
	}
	return first, timeline
}

func (c *Cluster) get(ctx context.Context, n *Node, path string, into any) error {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return c.City.Dial(ctx, network, address)
		}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Address+":8008"+path, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// Whole waits until all three nodes run on one timeline and a standby is synchronous.
func (c *Cluster) Whole(ctx context.Context, patience time.Duration) error {
	var all []Member
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if all, err = c.Members(ctx); err == nil && whole(all) {
			if p, _ := c.Primary(ctx); p != nil {
				return nil
			}
		}
		select {
		case <-time.After(300 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return errors.Join(fmt.Errorf("the cluster is not whole after %v: %+v", patience, all), err)
}

func whole(all []Member) bool {
	leaders, synced, timeline := 0, 0, 0
	for _, m := range all {
		if m.State != "running" && m.State != "streaming" || timeline != 0 && m.Timeline != timeline {
			return false
		}
		timeline = m.Timeline
		switch m.Role {
		case "leader":
			leaders++
		case "sync_standby":
			synced++
		}
	}
	return len(all) == 3 && leaders == 1 && synced == 1
}
