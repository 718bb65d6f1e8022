package wire

// Large blobs in parts: GET PathBlobs{sha256} → BlobState; POST PathBlobs{sha256}?offset=N&length=L with the next part →
// BlobState. Offset and length stand in the query because the request's signature covers it.

// MaxBlobPart is the largest part; a blob that is not larger goes whole, with PUT.
const MaxBlobPart = 1 << 20

// BlobState is how much of a blob the platform holds.
type BlobState struct {
	Held   bool  `json:"held"`   // all of it
	Offset int64 `json:"offset"` // of what was begun: where to go on
}
