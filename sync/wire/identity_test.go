package wire

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCodes(t *testing.T) {
	code := NewCode()
	if len(code) != 34 || strings.Count(code, "-") != 6 {
		t.Fatalf("code %q", code)
	}
	key, err := CodeKey("T1", code)
	if err != nil {
		t.Fatal(err)
	}
	for what, same := range map[string]string{
		"small letters": strings.ToLower(code), "no groups": strings.ReplaceAll(code, "-", ""), "spaces": " " + strings.ReplaceAll(code, "-", " ") + "\n",
		"look-alikes": strings.NewReplacer("0", "o", "1", "l").Replace(code),
	} {
		if k, err := CodeKey("T1", same); err != nil || !bytes.Equal(k, key) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if k, err := CodeKey("T2", code); err != nil || bytes.Equal(k, key) {
		t.Errorf("a code is the same at another terminal, %v", err)
	}
	for _, bad := range []string{"", code[:33], code + "0", strings.Replace(code, "-", "U", 1), "＋", strings.Repeat("0", 28), strings.Repeat("-", 1000)} {
		if _, err := CodeKey("T1", bad); !errors.Is(err, ErrCode) {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
}

func TestMistypedCodesAreNoticed(t *testing.T) {
	missed := 0
	rapid.Check(t, func(t *rapid.T) {
		code := []byte(strings.ReplaceAll(NewCode(), "-", ""))
		i := rapid.IntRange(0, len(code)-1).Draw(t, "place")
		other := symbols[rapid.IntRange(0, 31).Draw(t, "symbol")]
		if other == code[i] {
			return
		}
		code[i] = other
		if _, err := CodeKey("T", string(code)); err == nil {
			missed++
		}
	})
	if missed > 3 { // two symbols miss one mistyping in 1024
		t.Errorf("%d mistypings went unnoticed", missed)
	}
}

func TestProfiles(t *testing.T) {
	for _, p := range []Profile{P256, SM2} {
		t.Run(string(p), func(t *testing.T) {
			key, err := NewKey(p)
			if err != nil {
				t.Fatal(err)
			}
			der, err := MarshalPublicKey(key)
			if err != nil {
				t.Fatal(err)
			}
			pub, is, err := ParsePublicKey(der)
			if err != nil || is != p {
				t.Fatalf("%s, %v", is, err)
			}
			private, err := MarshalPrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			again, is, err := ParsePrivateKey(private)
			if err != nil || is != p {
				t.Fatalf("%s, %v", is, err)
			}
			sig, err := Sign(again, []byte("said"))
			if err != nil || !Verify(pub, []byte("said"), sig) {
				t.Errorf("own signature does not verify, %v", err)
			}
			if Verify(pub, []byte("not said"), sig) || Verify(pub, []byte("said"), nil) || Verify(pub, []byte("said"), append(sig, 0)) || Verify(nil, nil, sig) {
				t.Error("another signature verifies")
			}
			other, _ := NewKey(map[Profile]Profile{P256: SM2, SM2: P256}[p])
			if sig, _ := Sign(other, []byte("said")); Verify(pub, []byte("said"), sig) {
				t.Error("a signature of the other profile verifies")
			}
		})
	}
	if _, err := NewKey("rsa"); err == nil || Profile("").Known() {
		t.Error("an unknown profile is taken")
	}
}

func TestEnrolmentIsUnderItsProof(t *testing.T) {
	key, err := CodeKey("T1", NewCode())
	if err != nil {
		t.Fatal(err)
	}
	e := Enroll{Terminal: "T1", Site: "s", Name: "n", Keys: Keys{Nonce: "00", CSR: []byte("csr"), Profile: SM2, SignKey: []byte("key"), SignProof: []byte("p")}}
	e.Proof = ed25519.Sign(key, e.SigningBytes())
	pub := key.Public().(ed25519.PublicKey)
	for what, change := range map[string]func(*Enroll){
		"terminal": func(e *Enroll) { e.Terminal = "T2" }, "site": func(e *Enroll) { e.Site += "x" }, "name": func(e *Enroll) { e.Name += "x" },
		"nonce": func(e *Enroll) { e.Nonce = "01" }, "csr": func(e *Enroll) { e.CSR = []byte("other") }, "profile": func(e *Enroll) { e.Profile = P256 },
		"sign key": func(e *Enroll) { e.SignKey = []byte("other") }, "a border moved": func(e *Enroll) { e.Site, e.Name = "", "sn" },
	} {
		other := e
		change(&other)
		if ed25519.Verify(pub, other.SigningBytes(), e.Proof) {
			t.Errorf("%s: the proof still fits", what)
		}
	}
	if !ed25519.Verify(pub, e.SigningBytes(), e.Proof) {
		t.Error("the proof does not fit")
	}
}

func FuzzCode(f *testing.F) {
	f.Add(NewCode())
	f.Add("7K3M-0PQZ")
	f.Add("")
	f.Fuzz(func(t *testing.T, code string) {
		key, err := CodeKey("T", code)
		if (err == nil) != (len(key) == ed25519.PrivateKeySize) {
			t.Errorf("%q: %d bytes, %v", code, len(key), err)
		}
	})
}

func FuzzPublicKey(f *testing.F) {
	for _, p := range []Profile{P256, SM2} {
		key, _ := NewKey(p)
		der, _ := MarshalPublicKey(key)
		f.Add(der, []byte("signature"))
	}
	f.Fuzz(func(t *testing.T, der, sig []byte) {
		pub, p, err := ParsePublicKey(der)
		if err == nil && (!p.Known() || Verify(pub, []byte("x"), sig)) {
			t.Errorf("%x was taken as %s", der, p)
		}
	})
}
