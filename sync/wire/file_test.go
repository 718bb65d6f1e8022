package wire

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// stamp is a signature of tests: it shows what was signed.
func stamp(b []byte) ([]byte, error) {
	sum := sha256.Sum256(b)
	return sum[:], nil
}

func stamped(f *File) bool {
	want, _ := stamp(f.Signed)
	return bytes.Equal(want, f.Signature)
}

func sealKey(t testing.TB) *ecdh.PrivateKey {
	t.Helper()
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func batchFile(t testing.TB, key *ecdh.PrivateKey, blobs ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewFileWriter(&out, FileHeader{Kind: FileBatches, Terminal: "990000-0003", No: 7, Created: time.UnixMilli(1).UTC()}, key.PublicKey().Bytes())
	if err == nil {
		err = w.Batch(sample())
	}
	for _, b := range blobs {
		err = errors.Join(err, w.Blob(b))
	}
	if err := errors.Join(err, w.Close(stamp)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAFileOfBatchesSurvivesItsWay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		key := sealKey(t)
		want := rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 0, 4).Draw(rt, "blobs")
		raw := batchFile(t, key, want...)
		f, err := ReadFile(bytes.NewReader(raw))
		if err != nil || !stamped(f) || f.Terminal != "990000-0003" || f.No != 7 {
			rt.Fatal(f, err)
		}
		var blobs [][]byte
		batches := 0
		err = f.Unsealed(key, func(b Batch) error {
			batches++
			if s := sample(); !bytes.Equal(b.SigningBytes(), s.SigningBytes()) {
				rt.Error("the batch changed")
			}
			return nil
		}, func(b []byte) error { blobs = append(blobs, b); return nil })
		if err != nil || batches != 1 || !slices.EqualFunc(blobs, want, bytes.Equal) {
			rt.Fatal(batches, blobs, err)
		}
		if err := f.Unsealed(sealKey(t), nil, nil); !errors.Is(err, ErrFileDamaged) {
			rt.Error("another key opened it", err)
		}
	})
}

// A single change anywhere, and every cut, is noticed before anything is taken.
func TestADamagedFileIsNoticed(t *testing.T) {
	key := sealKey(t)
	raw := batchFile(t, key, []byte("ink"))
	for n := range raw {
		if _, err := ReadFile(bytes.NewReader(raw[:n])); !errors.Is(err, ErrFileDamaged) {
			t.Fatalf("cut at %d: %v", n, err)
		}
		spoilt := slices.Clone(raw)
		spoilt[n] ^= 1
		if f, err := ReadFile(bytes.NewReader(spoilt)); err == nil && stamped(f) {
			t.Fatalf("a change of byte %d went unnoticed", n)
		}
	}
	if _, err := ReadFile(bytes.NewReader(append(raw, 0))); !errors.Is(err, ErrFileDamaged) {
		t.Error("something after the end", err)
	}
	for what, b := range map[string][]byte{"nothing like it": []byte("PK\x03\x04 something else entirely"), "later version": bytes.Replace(raw, []byte(`"v":1`), []byte(`"v":2`), 1)} {
		if _, err := ReadFile(bytes.NewReader(b)); !errors.Is(err, ErrFileForeign) {
			t.Errorf("%s: %v", what, err)
		}
	}
	f, err := ReadFile(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	f.No++ // what is sealed belongs to its header
	if err := f.Unsealed(key, nil, nil); !errors.Is(err, ErrFileDamaged) {
		t.Error(err)
	}
	if _, _, err := f.Answers(); !errors.Is(err, ErrFileDamaged) {
		t.Error("batches were taken for acks", err)
	}
}

func ackFile(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewFileWriter(&out, FileHeader{Kind: FileAcks, Terminal: "990000-0003", No: 7, Epoch: 2, Blobs: []Hash{{1}}}, nil)
	if err == nil {
		err = errors.Join(w.Ack(Ack{Terminal: "990000-0003", Epoch: 2, Lane: LaneTx, High: 3}), w.Message(Message{No: 1, ID: "m", Body: []byte(`{}`)}), w.Close(stamp))
	}
	if err != nil {
		t.Fatal(err)
	}
	if w.Batch(sample()) == nil {
		t.Fatal("a batch was written without a key to seal it")
	}
	return out.Bytes()
}

func FuzzFile(f *testing.F) {
	key := sealKey(f)
	f.Add(batchFile(f, key, []byte("ink")))
	f.Add(ackFile(f))
	f.Add([]byte(fileMagic))
	f.Add([]byte(fileMagic + "H\x00\x00\x00\x07{\"v\":1}S\x00\x00\x00\x00"))
	f.Add([]byte(fileMagic + "H\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := ReadFile(bytes.NewReader(raw))
		if err != nil {
			if !errors.Is(err, ErrFileDamaged) && !errors.Is(err, ErrFileForeign) {
				t.Errorf("%v", err)
			}
			return
		}
		_ = file.Unsealed(key, func(b Batch) error { _ = b.SigningBytes(); return nil }, func([]byte) error { return nil })
		acks, messages, _ := file.Answers()
		for _, a := range acks {
			_ = a.SigningBytes()
		}
		for _, m := range messages {
			_ = m.SigningBytes("t")
		}
	})
}
