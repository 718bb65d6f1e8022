package sim

// Foreign peers: receiptio (npm) prints to our head, ipptool (CUPS) to our printer, zbarimg reads what comes out.

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// need skips the test when a peer is missing, unless peers are required.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
				t.Fatalf("%s is missing and required", p)
			}
			t.Skipf("%s is not installed", p)
		}
	}
}

// zbar reads the code in a picture.
func zbar(t *testing.T, file string) string {
	t.Helper()
	need(t, "zbarimg")
	out, err := exec.Command("zbarimg", "-q", "--raw", file).Output()
	if err != nil {
		t.Fatalf("zbarimg: %v", err)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// receiptio is the host program's version that the tests were written with.
const receiptio = "receiptio@2.1.2"

// receiptioDir has the program installed; it is kept between runs.
func receiptioDir(t *testing.T) string {
	t.Helper()
	need(t, "node", "npm")
	cache, err := os.UserCacheDir()
	must(t, err)
	dir := filepath.Join(cache, "budayang-peers", receiptio)
	if _, err := os.Stat(filepath.Join(dir, "installed")); err == nil {
		return dir
	}
	must(t, os.MkdirAll(dir, 0o755))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional", receiptio)
	if out, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") == "1" {
			t.Fatalf("npm install: %v\n%s", err, out)
		}
		t.Skipf("%s cannot be installed: %v", receiptio, err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "installed"), nil, 0o644))
	return dir
}

// print9100 lets receiptio print a document; it knows one port only, so each test has a loopback address of its own.
func print9100(t *testing.T, dir, host, document string) string {
	t.Helper()
	script := `const r = require("receiptio");
r.print(process.argv[2], "-d " + process.argv[1] + " -p escpos -l zh-hans -t 8").then(x => console.log(x)).catch(e => console.log("threw " + e));`
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "-e", script, host, document)
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("receiptio: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestReceiptioPrints(t *testing.T) {
	dir := receiptioDir(t)
	const document = "^^^受理回执\n\n事项|参保证明\n编号|990000-42\n{code:CASE-990000-42; option:qrcode,6,m}\n"
	for i, x := range []struct{ fault, want string }{
		{"", "success"}, {"cover-open", "coveropen"}, {"paper-out", "paperempty"}, {"cutter-error", "error"},
	} {
		t.Run(x.want, func(t *testing.T) {
			host := fmt.Sprintf("127.0.93.%d", 10+i)
			out := t.TempDir()
			p, err := StartReceiptPrinter(ReceiptOptions{Font: face(t), Dir: out, Speed: -1,
				Line: LineOptions{TCP: host + ":9100", Unpaced: true}})
			if err != nil {
				t.Skipf("port 9100 is taken: %v", err)
			}
			defer p.Close()
			if x.fault != "" {
				must(t, p.Fault(x.fault, ""))
			}
			if got := print9100(t, dir, host, document); got != x.want {
				t.Fatalf("it says %q, want %q", got, x.want)
			}
			if x.fault != "" {
				return
			}
			s := p.Slips()
			if len(s) != 1 || p.State().Unknown != 0 {
				t.Fatalf("%d slips, %+v", len(s), p.State())
			}
			for _, want := range []string{"受理回执", "事项", "参保证明"} {
				if !strings.Contains(s[0].Text, want) {
					t.Errorf("%q is not in %q", want, s[0].Text)
				}
			}
			if code := zbar(t, filepath.Join(out, s[0].File)); code != "CASE-990000-42" {
				t.Errorf("the code says %q", code)
			}
		})
	}
}
