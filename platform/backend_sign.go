package platform

// The signature profiles of back ends.
//
//	rio        headers x-tif-paasid, x-tif-timestamp (s), x-tif-nonce and x-tif-signature = upper-case hex of
//	           SHA-256(timestamp token nonce timestamp). The body is not covered, nor is the answer: only over TLS.
//	           Refusal is status 500 with {"code":400001}.
//	envelope   the body is {appCode, version, encType:"SM4", signType:"SM2", timestamp, signData, data:{encData}}, in both
//	           directions, as the national insurance platform has it. signData is the base64 of r||s of an SM2 signature
//	           over "appCode=…&data={…}&encType=SM4&signType=SM2&timestamp=…&version=…&key=appSecret", the data with sorted
//	           keys; encData the upper-case hex of the data under SM4-ECB with PKCS #7 padding. Its key is the first 16
//	           characters of the upper-case hex of appSecret under SM4-ECB with the first 16 characters of appCode.
//	canonical  Authorization with a signature over METHOD\nURL\nTIMESTAMP\nNONCE\nBODY\n, answers signed in headers over
//	           TIMESTAMP\nNONCE\nBODY\n: SM2 with SM3 (as WeChat Pay APIv3) or ECDSA P-256 with SHA-256.
//
// ECB hides nothing that repeats; it is theirs to choose, and the envelope travels inside TLS.

import (
	"bytes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm4"
	"github.com/emmansun/gmsm/smx509"

	"github.com/budayang/kiosk/sync/wire"
)

// Profiles of [BackendConfig].
const (
	ProfileRIO       = "rio"
	ProfileEnvelope  = "envelope"
	ProfileCanonical = "canonical"
)

// profile seals requests and opens answers.
type profile interface {
	seal(method string, to *url.URL, body []byte, now time.Time) (http.Header, []byte, error)
	// open checks and unpacks the answer: errBackendForged.
	open(h http.Header, body []byte, now time.Time) ([]byte, error)
	// refused: this answer says that our signature or clock was not liked.
	refused(status int, body []byte) bool
}

func newProfile(cfg BackendConfig) (profile, error) {
	if cfg.ID == "" || strings.ContainsAny(cfg.ID, "\"\\\r\n") {
		return nil, errors.New("id is missing or has quotes in it")
	}
	switch cfg.Profile {
	case ProfileRIO:
		if len(cfg.Secret) < 8 {
			return nil, errors.New("the RIO profile needs a token")
		}
		return rio{cfg.ID, string(cfg.Secret)}, nil
	case ProfileEnvelope:
		k, err := readPair(cfg)
		if err != nil {
			return nil, err
		}
		if !k.gm || len(cfg.ID) < 16 || len(cfg.Secret) < 16 {
			return nil, errors.New("the envelope profile needs SM2 keys, and an id and a secret of at least 16 characters")
		}
		return newEnvelope(cfg.ID, string(cfg.Secret), k)
	case ProfileCanonical:
		k, err := readPair(cfg)
		if err != nil {
			return nil, err
		}
		return canonical{cfg.ID, cfg.Serial, k}, nil
	}
	return nil, fmt.Errorf("profile %.20q is not known: rio, envelope, canonical", cfg.Profile)
}

// pair is our private and its public key, both SM2 or both P-256.
type pair struct {
	gm   bool
	own  any // *sm2.PrivateKey or *ecdsa.PrivateKey
	peer *ecdsa.PublicKey
}

func readPair(cfg BackendConfig) (k pair, err error) {
	private, _ := pem.Decode(cfg.Key)
	public, _ := pem.Decode(cfg.PeerKey)
	if private == nil || public == nil {
		return k, errors.New("our key or its public key is not PEM")
	}
	if k.own, err = smx509.ParsePKCS8PrivateKey(private.Bytes); err != nil {
		return k, errors.New("our key cannot be read")
	}
	peer, err := smx509.ParsePKIXPublicKey(public.Bytes)
	var is bool
	if k.peer, is = peer.(*ecdsa.PublicKey); err != nil || !is {
		return k, errors.New("its public key cannot be read")
	}
	switch own := k.own.(type) {
	case *sm2.PrivateKey:
		k.gm, is = true, sm2.IsSM2PublicKey(k.peer)
	case *ecdsa.PrivateKey:
		is = own.Curve == elliptic.P256() && k.peer.Curve == elliptic.P256()
	default:
		is = false
	}
	if !is {
		return k, errors.New("the keys must both be SM2, or both P-256")
	}
	return k, nil
}

// sign returns ASN.1.
func (k pair) sign(message []byte) ([]byte, error) {
	if own, gm := k.own.(*sm2.PrivateKey); gm {
		return own.Sign(rand.Reader, message, sm2.NewSM2SignerOption(true, nil))
	}
	sum := sha256.Sum256(message)
	return ecdsa.SignASN1(rand.Reader, k.own.(*ecdsa.PrivateKey), sum[:])
}

func (k pair) verify(message, signature []byte) bool {
	if k.gm {
		return sm2.VerifyASN1WithSM2(k.peer, nil, message, signature)
	}
	sum := sha256.Sum256(message)
	return ecdsa.VerifyASN1(k.peer, sum[:], signature)
}

// rio is the gateway profile.
type rio struct{ id, token string }

func (p rio) seal(_ string, _ *url.URL, body []byte, now time.Time) (http.Header, []byte, error) {
	stamp, nonce := strconv.FormatInt(now.Unix(), 10), token()
	sum := sha256.Sum256([]byte(stamp + p.token + nonce + stamp))
	h := http.Header{}
	h.Set("x-tif-paasid", p.id)
	h.Set("x-tif-timestamp", stamp)
	h.Set("x-tif-nonce", nonce)
	h.Set("x-tif-signature", strings.ToUpper(hex.EncodeToString(sum[:])))
	return h, body, nil
}

func (rio) open(_ http.Header, body []byte, _ time.Time) ([]byte, error) { return body, nil }

func (rio) refused(status int, body []byte) bool {
	var said struct{ Code int }
	return status == http.StatusInternalServerError && json.Unmarshal(body, &said) == nil && said.Code == 400001
}

// bodyEnvelope is the body profile.
type bodyEnvelope struct {
	id, secret string
	keys       pair
	block      cipher.Block
}

// wrapped is the body on the wire, in the order of its signature's keys.
type wrapped struct {
	AppCode   string `json:"appCode"`
	Version   string `json:"version"`
	EncType   string `json:"encType"`
	SignType  string `json:"signType"`
	Timestamp int64  `json:"timestamp"`
	SignData  string `json:"signData"`
	Data      struct {
		EncData string `json:"encData"`
	} `json:"data"`
}

const envelopeVersion = "1.0.0"

func newEnvelope(id, secret string, keys pair) (*bodyEnvelope, error) {
	outer, err := sm4.NewCipher([]byte(id[:16]))
	if err != nil {
		return nil, err
	}
	key := strings.ToUpper(hex.EncodeToString(ecbSeal(outer, []byte(secret))))[:16]
	block, err := sm4.NewCipher([]byte(key))
	if err != nil {
		return nil, err
	}
	return &bodyEnvelope{id, secret, keys, block}, nil
}

func ecbSeal(b cipher.Block, plain []byte) []byte {
	n := b.BlockSize() - len(plain)%b.BlockSize()
	out := append(bytes.Clone(plain), bytes.Repeat([]byte{byte(n)}, n)...)
	for i := 0; i < len(out); i += b.BlockSize() {
		b.Encrypt(out[i:], out[i:])
	}
	return out
}

func ecbOpen(b cipher.Block, sealed []byte) ([]byte, bool) {
	if len(sealed) == 0 || len(sealed)%b.BlockSize() != 0 {
		return nil, false
	}
	out := bytes.Clone(sealed)
	for i := 0; i < len(out); i += b.BlockSize() {
		b.Decrypt(out[i:], out[i:])
	}
	n := int(out[len(out)-1])
	if n == 0 || n > b.BlockSize() || !bytes.Equal(out[len(out)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, false
	}
	return out[:len(out)-n], true
}

// sorted writes an object again as it is signed: keys in order at every level, no escapes for HTML; at the top numbers
// and booleans as text, and nothing that is empty.
func sorted(plain []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(plain))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		return nil, errors.New("data is not a JSON object")
	}
	for k, x := range v {
		switch x := x.(type) {
		case nil:
			delete(v, k)
		case string:
			if x == "" {
				delete(v, k)
			}
		case []any:
			if len(x) == 0 {
				delete(v, k)
			}
		case json.Number:
			v[k] = x.String()
		case bool:
			v[k] = strconv.FormatBool(x)
		}
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

func (p *bodyEnvelope) message(w wrapped, data []byte) ([]byte, error) {
	in, err := sorted(data)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "appCode=%s&data=%s&encType=%s&signType=%s&timestamp=%d&version=%s&key=%s",
		w.AppCode, in, w.EncType, w.SignType, w.Timestamp, w.Version, p.secret), nil
}

func (p *bodyEnvelope) seal(_ string, _ *url.URL, body []byte, now time.Time) (http.Header, []byte, error) {
	w := wrapped{AppCode: p.id, Version: envelopeVersion, EncType: "SM4", SignType: "SM2", Timestamp: now.Unix()}
	message, err := p.message(w, body)
	if err != nil {
		return nil, nil, err
	}
	der, err := p.keys.sign(message)
	if err != nil {
		return nil, nil, err
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		return nil, nil, err
	}
	flat := make([]byte, 64)
	rs.R.FillBytes(flat[:32])
	rs.S.FillBytes(flat[32:])
	w.SignData = base64.StdEncoding.EncodeToString(flat)
	w.Data.EncData = strings.ToUpper(hex.EncodeToString(ecbSeal(p.block, body)))
	out, err := json.Marshal(w)
	return http.Header{}, out, err
}

func (p *bodyEnvelope) open(_ http.Header, body []byte, now time.Time) ([]byte, error) {
	var w wrapped
	if json.Unmarshal(body, &w) != nil || w.AppCode != p.id || w.EncType != "SM4" || w.SignType != "SM2" {
		return nil, errBackendForged
	}
	if now.Sub(time.Unix(w.Timestamp, 0)).Abs() > wire.MaxSkew {
		return nil, errBackendForged
	}
	sealed, err := hex.DecodeString(w.Data.EncData)
	flat, serr := base64.StdEncoding.DecodeString(w.SignData)
	if err != nil || serr != nil || len(flat) != 64 {
		return nil, errBackendForged
	}
	plain, ok := ecbOpen(p.block, sealed)
	if !ok {
		return nil, errBackendForged
	}
	message, err := p.message(w, plain)
	if err != nil {
		return nil, errBackendForged
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(flat[:32]), new(big.Int).SetBytes(flat[32:])})
	if err != nil || !p.keys.verify(message, der) {
		return nil, errBackendForged
	}
	return plain, nil
}

func (*bodyEnvelope) refused(int, []byte) bool { return false }

// canonical is the header profile that covers method, address and body.
type canonical struct {
	id, serial string
	keys       pair
}

// names of the scheme and the answer's headers.
func (p canonical) names() (scheme, prefix string) {
	if p.keys.gm {
		return "WECHATPAY2-SM2-WITH-SM3", "Wechatpay-"
	}
	return "BUDAYANG2-ECDSA-WITH-SHA256", "Budayang-"
}

func (p canonical) seal(method string, to *url.URL, body []byte, now time.Time) (http.Header, []byte, error) {
	stamp, nonce := strconv.FormatInt(now.Unix(), 10), token()
	signature, err := p.keys.sign(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%s\n", method, to.RequestURI(), stamp, nonce, body))
	if err != nil {
		return nil, nil, err
	}
	scheme, _ := p.names()
	h := http.Header{}
	h.Set("Authorization", fmt.Sprintf(`%s mchid="%s",nonce_str="%s",timestamp="%s",serial_no="%s",signature="%s"`,
		scheme, p.id, nonce, stamp, p.serial, base64.StdEncoding.EncodeToString(signature)))
	return h, body, nil
}

func (p canonical) open(h http.Header, body []byte, now time.Time) ([]byte, error) {
	_, prefix := p.names()
	stamp, nonce := h.Get(prefix+"Timestamp"), h.Get(prefix+"Nonce")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	signature, serr := base64.StdEncoding.DecodeString(h.Get(prefix + "Signature"))
	if err != nil || serr != nil || now.Sub(time.Unix(seconds, 0)).Abs() > wire.MaxSkew ||
		!p.keys.verify(fmt.Appendf(nil, "%s\n%s\n%s\n", stamp, nonce, body), signature) {
		return nil, errBackendForged
	}
	return body, nil
}

func (canonical) refused(int, []byte) bool { return false }
