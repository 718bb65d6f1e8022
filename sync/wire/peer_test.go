package wire

// SM2 beside a peer: what OpenSSL signs we verify, and what we sign it verifies.

import (
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestSM2WithOpenSSL(t *testing.T) {
	openssl := func(args ...string) ([]byte, error) { return exec.Command("openssl", args...).CombinedOutput() }
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	if out, err := openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-pkeyopt", "ec_param_enc:named_curve", "-out", file("key.pem")); err != nil {
		if os.Getenv("BUDAYANG_REQUIRE_PEERS") != "" {
			t.Fatalf("%v: %s", err, out)
		}
		t.Skipf("%v: %s", err, out)
	}
	said := []byte("budayang-batch-v1\n990000-0003\n")
	if err := os.WriteFile(file("said"), said, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		t.Helper()
		if out, err := openssl(args...); err != nil {
			t.Fatalf("openssl %v: %v: %s", args, err, out)
		}
	}
	read := func(name string) []byte {
		t.Helper()
		b, err := os.ReadFile(file(name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	run("pkey", "-in", file("key.pem"), "-pubout", "-outform", "DER", "-out", file("pub.der"))
	pub, p, err := ParsePublicKey(read("pub.der"))
	if err != nil || p != SM2 {
		t.Fatalf("OpenSSL's key: %s, %v", p, err)
	}
	run("pkeyutl", "-sign", "-rawin", "-digest", "sm3", "-inkey", file("key.pem"), "-in", file("said"), "-out", file("sig"), "-pkeyopt", "distid:1234567812345678")
	if !Verify(pub, said, read("sig")) {
		t.Error("OpenSSL's signature does not verify")
	}
	run("pkeyutl", "-sign", "-rawin", "-digest", "sm3", "-inkey", file("key.pem"), "-in", file("said"), "-out", file("sig"), "-pkeyopt", "distid:somebody else")
	if Verify(pub, said, read("sig")) {
		t.Error("a signature under another user id verifies")
	}
	ours, err := NewKey(SM2)
	if err != nil {
		t.Fatal(err)
	}
	der, err := MarshalPublicKey(ours)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := Sign(ours, said)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"ours.pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "ours.sig": sig} {
		if err := os.WriteFile(file(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run("pkeyutl", "-verify", "-rawin", "-digest", "sm3", "-pubin", "-inkey", file("ours.pem"), "-in", file("said"), "-sigfile", file("ours.sig"), "-pkeyopt", "distid:1234567812345678")
	block, _ := pem.Decode(read("key.pem"))
	if _, p, err := ParsePrivateKey(block.Bytes); err != nil || p != SM2 {
		t.Errorf("OpenSSL's private key: %s, %v", p, err)
	}
}
