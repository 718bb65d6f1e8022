package conform

// The error registry as docs/error-codes.md prints it: code and HTTP status of every refusal.

var registry = map[string]int{
	"E-MALFORMED": 400, "E-AUTH": 401, "E-TERMINAL": 401, "E-CLOCK": 401, "E-REPLAY": 401, "E-CERT": 401, "E-CERT-EXPIRED": 401,
	"E-REVOKED": 403, "E-PROOF": 403, "E-ENROLL-EXPIRED": 410, "E-ENROLL-USED": 409, "E-ENROLL-LOCKED": 429, "E-ENROLLED": 409,
	"E-VERSION": 422, "E-NOT-FOUND": 404, "E-TOO-LARGE": 413, "E-BATCH": 422, "E-FORK": 409, "E-GAP": 409, "E-BLOB": 422,
	"E-NO-RECORD": 404, "E-NO-PHONE": 409, "E-CODE-WRONG": 403, "E-CODE-LOCKED": 429, "E-CODE-EXPIRED": 410, "E-TOKEN": 403,
	"E-KEY-REUSED": 422, "E-OFFSET": 409, "E-CASE-OVER": 409, "E-IN-PROGRESS": 409, "E-GLYPH": 422, "E-EPOCH": 409, "E-BACKEND": 503, "E-CHANNEL": 503, "E-BUSY": 503, "E-INTERNAL": 500,
}
