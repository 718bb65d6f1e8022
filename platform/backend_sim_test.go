package platform

// A city's office as seen from the wire: an HTTP server that checks each profile's signatures with code of its own,
// written from the profiles' descriptions.

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm4"
	"github.com/emmansun/gmsm/smx509"
)

const (
	officeID     = "T98HPCGN5ZVVQBS8LZQNOAEX"
	officeSecret = "NMVFVILMKT13GEMD3BKPKCTBOQBPZR2P"
)

// office answers people it knows. The fields change how it behaves while it runs.
type office struct {
	t       testing.TB
	profile string
	gm      bool
	server  *httptest.Server

	callerKey, callerPub []byte // PEM
	caller               *ecdsa.PublicKey
	sm2Key               *sm2.PrivateKey
	p256Key              *ecdsa.PrivateKey
	pub                  []byte

	mu      sync.Mutex
	evil    func(w http.ResponseWriter, r *http.Request) bool
	forge   bool // signs its answers with a key that is not its own
	skew    time.Duration
	nonces  map[string]bool
	queries int
	answers map[string]func(number string) any // by service, beside the one that it has; nil says that the person is not known
	last    []byte                             // last body
	auth    string
}

func newOffice(t testing.TB, profile string, gm bool) *office {
	t.Helper()
	o := &office{t: t, profile: profile, gm: gm, nonces: map[string]bool{}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	private := func(key any) []byte {
		der, err := smx509.MarshalPKCS8PrivateKey(key)
		must(err)
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	public := func(key any) []byte {
		der, err := smx509.MarshalPKIXPublicKey(key)
		must(err)
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	if gm {
		mine, err := sm2.GenerateKey(rand.Reader)
		must(err)
		theirs, err := sm2.GenerateKey(rand.Reader)
		must(err)
		o.sm2Key, o.pub, o.caller = mine, public(&mine.PublicKey), &theirs.PublicKey
		o.callerKey, o.callerPub = private(theirs), public(&theirs.PublicKey)
	} else {
		mine, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(err)
		theirs, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(err)
		o.p256Key, o.pub, o.caller = mine, public(&mine.PublicKey), &theirs.PublicKey
		o.callerKey, o.callerPub = private(theirs), public(&theirs.PublicKey)
	}
	o.server = httptest.NewTLSServer(http.HandlerFunc(o.serve))
	o.server.Config.ErrorLog = nil
	t.Cleanup(o.server.Close)
	return o
}

// config is what an operator would write for this office.
func (o *office) config() BackendConfig {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.server.Certificate().Raw})
	return BackendConfig{Name: "social", URL: o.server.URL + "/gw", Services: []string{"sb-info"}, Items: []string{"SB-Q", "SB-P"}, Profile: o.profile,
		ID: officeID, Serial: "5F2A", Secret: []byte(officeSecret), Key: o.callerKey, PeerKey: o.pub, CA: ca, Timeout: 10 * time.Second}
}

func (o *office) be(evil func(http.ResponseWriter, *http.Request) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.evil = evil
}

func (o *office) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

func (o *office) now() time.Time { return time.Now().Add(o.skew) }

func (o *office) serve(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	evil := o.evil
	o.mu.Unlock()
	if evil != nil && evil(w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last, o.auth = body, r.Header.Get("Authorization")
	plain, why := o.check(r, body)
	if why != "" {
		o.t.Logf("office refuses: %s", why)
		if o.profile == ProfileRIO {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"code":400001,"message":"signature"}`)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	status, answer := http.StatusOK, map[string]any{"ok": true}
	if strings.HasPrefix(r.URL.Path, "/gw/query/") {
		o.queries++
		var q struct{ Service, Number, Name string }
		if err := json.Unmarshal(plain, &q); err != nil || r.URL.Path != "/gw/query/"+q.Service {
			o.t.Errorf("%s: %s", r.URL.Path, plain)
		}
		if other := o.answers[q.Service]; other != nil {
			if answer = map[string]any{"reason": "nobody"}; other(q.Number) == nil {
				status = http.StatusNotFound
			} else {
				b, _ := json.Marshal(other(q.Number))
				_ = json.Unmarshal(b, &answer)
			}
		} else if q.Name == "李晓雯" {
			answer = map[string]any{"title": both("社保", "Insurance"), "sections": []any{map[string]any{"rows": []any{
				map[string]any{"label": both("姓名", "Name"), "value": q.Name, "masked": "李*雯", "private": true}}}}}
		} else {
			status, answer = http.StatusNotFound, map[string]any{"reason": "nobody"}
		}
	}
	out, _ := json.Marshal(answer)
	o.reply(w, status, out)
}

// fresh keeps the clock rule and refuses what came before.
func (o *office) fresh(stamp, nonce string) string {
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return "no time"
	}
	if d := o.now().Unix() - seconds; d > 180 || d < -180 {
		return "time"
	}
	if nonce == "" || o.nonces[nonce] {
		return "nonce"
	}
	o.nonces[nonce] = true
	return ""
}

var authorization = regexp.MustCompile(`^(\S+) mchid="([^"]+)",nonce_str="([^"]+)",timestamp="(\d+)",serial_no="([^"]+)",signature="([^"]+)"$`)

func (o *office) check(r *http.Request, body []byte) (plain []byte, why string) {
	switch o.profile {
	case ProfileRIO:
		stamp, nonce := r.Header.Get("x-tif-timestamp"), r.Header.Get("x-tif-nonce")
		h := sha256.New()
		for _, part := range []string{stamp, officeSecret, nonce, stamp} {
			_, _ = io.WriteString(h, part)
		}
		if r.Header.Get("x-tif-paasid") != officeID || r.Header.Get("x-tif-signature") != fmt.Sprintf("%X", h.Sum(nil)) {
			return nil, "signature"
		}
		return body, o.fresh(stamp, nonce)
	case ProfileCanonical:
		m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
		scheme := map[bool]string{true: "WECHATPAY2-SM2-WITH-SM3", false: "BUDAYANG2-ECDSA-WITH-SHA256"}[o.gm]
		if m == nil || m[1] != scheme || m[2] != officeID || m[5] != "5F2A" {
			return nil, "header"
		}
		signature, _ := base64.StdEncoding.DecodeString(m[6])
		message := strings.Join([]string{r.Method, r.URL.RequestURI(), m[4], m[3], string(body), ""}, "\n")
		if !o.signed([]byte(message), signature) {
			return nil, "signature"
		}
		return body, o.fresh(m[4], m[3])
	}
	return o.unwrap(body)
}

func (o *office) signed(message, der []byte) bool {
	var rs struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &rs); err != nil || len(rest) > 0 {
		return false
	}
	if o.gm {
		digest, err := sm2.CalculateSM2Hash(o.caller, message, []byte("1234567812345678"))
		return err == nil && sm2.Verify(o.caller, digest, rs.R, rs.S)
	}
	digest := sha256.Sum256(message)
	return ecdsa.Verify(o.caller, digest[:], rs.R, rs.S)
}

func (o *office) sign(message []byte) []byte {
	if o.gm {
		key := o.sm2Key
		if o.forge {
			key, _ = sm2.GenerateKey(rand.Reader)
		}
		der, err := key.SignWithSM2(rand.Reader, []byte("1234567812345678"), message)
		if err != nil {
			o.t.Error(err)
		}
		return der
	}
	key := o.p256Key
	if o.forge {
		key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	digest := sha256.Sum256(message)
	der, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		o.t.Error(err)
	}
	return der
}

// crypt runs SM4-ECB block by block under the key that id and secret make.
func crypt(in []byte, seal bool) []byte {
	outer, _ := sm4.NewCipher([]byte(officeID)[:16])
	padded := []byte(officeSecret + strings.Repeat("\x10", 16))
	first := make([]byte, 16)
	outer.Encrypt(first, padded[:16])
	block, _ := sm4.NewCipher([]byte(strings.ToUpper(hex.EncodeToString(first)))[:16])
	out := make([]byte, len(in))
	for i := 0; i+16 <= len(in); i += 16 {
		if seal {
			block.Encrypt(out[i:i+16], in[i:i+16])
		} else {
			block.Decrypt(out[i:i+16], in[i:i+16])
		}
	}
	return out
}

// signText joins what is signed: every field but signData, by name, then the secret.
func signText(fields map[string]string) string {
	var names []string
	for k := range fields {
		names = append(names, k)
	}
	sort.Strings(names)
	var parts []string
	for _, k := range names {
		parts = append(parts, k+"="+fields[k])
	}
	return strings.Join(append(parts, "key="+officeSecret), "&")
}

// plainJSON is JSON as other languages write it: "<" stays "<".
func plainJSON(v any) string {
	b, _ := json.Marshal(v)
	return strings.NewReplacer(`\\`, `\\`, `\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b))
}

func (o *office) unwrap(body []byte) ([]byte, string) {
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, "body"
	}
	data, _ := in["data"].(map[string]any)
	enc, _ := data["encData"].(string)
	sealed, err := hex.DecodeString(enc)
	if err != nil || enc != strings.ToUpper(enc) || len(sealed) == 0 || len(sealed)%16 != 0 {
		return nil, "encData"
	}
	plain := crypt(sealed, false)
	pad := int(plain[len(plain)-1])
	if pad > 16 {
		return nil, "padding"
	}
	plain = plain[:len(plain)-pad]
	var values map[string]any
	if err := json.Unmarshal(plain, &values); err != nil {
		return nil, "data"
	}
	sortedData := plainJSON(values) // what the caller sends has texts only
	stamp := strconv.FormatFloat(in["timestamp"].(float64), 'f', -1, 64)
	text := signText(map[string]string{"appCode": in["appCode"].(string), "version": in["version"].(string), "encType": in["encType"].(string),
		"signType": in["signType"].(string), "timestamp": stamp, "data": sortedData})
	flat, _ := base64.StdEncoding.DecodeString(in["signData"].(string))
	if len(flat) != 64 || in["appCode"] != officeID || in["encType"] != "SM4" || in["signType"] != "SM2" {
		return nil, "fields"
	}
	digest, err := sm2.CalculateSM2Hash(o.caller, []byte(text), []byte("1234567812345678"))
	if err != nil || !sm2.Verify(o.caller, digest, new(big.Int).SetBytes(flat[:32]), new(big.Int).SetBytes(flat[32:])) {
		return nil, "signature"
	}
	return plain, o.fresh(stamp, in["signData"].(string))
}

func (o *office) reply(w http.ResponseWriter, status int, body []byte) {
	stamp := strconv.FormatInt(o.now().Unix(), 10)
	switch o.profile {
	case ProfileCanonical:
		prefix := map[bool]string{true: "Wechatpay-", false: "Budayang-"}[o.gm]
		nonce := strconv.Itoa(len(o.nonces))
		w.Header().Set(prefix+"Timestamp", stamp)
		w.Header().Set(prefix+"Nonce", nonce)
		w.Header().Set(prefix+"Signature", base64.StdEncoding.EncodeToString(o.sign([]byte(stamp+"\n"+nonce+"\n"+string(body)+"\n"))))
	case ProfileEnvelope:
		var values map[string]any
		_ = json.Unmarshal(body, &values)
		for k, v := range values {
			if b, is := v.(bool); is {
				values[k] = strconv.FormatBool(b)
			}
		}
		der := o.sign([]byte(signText(map[string]string{"appCode": officeID, "version": "1.0.0", "encType": "SM4", "signType": "SM2", "timestamp": stamp, "data": plainJSON(values)})))
		var rs struct{ R, S *big.Int }
		_, _ = asn1.Unmarshal(der, &rs)
		flat := append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...)
		n := 16 - len(body)%16
		padded := append(append([]byte{}, body...), strings.Repeat(string(rune(n)), n)...)
		seconds, _ := strconv.ParseInt(stamp, 10, 64)
		body, _ = json.Marshal(map[string]any{"appCode": officeID, "version": "1.0.0", "encType": "SM4", "signType": "SM2", "timestamp": seconds,
			"signData": base64.StdEncoding.EncodeToString(flat), "data": map[string]string{"encData": strings.ToUpper(hex.EncodeToString(crypt(padded, true)))}})
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
