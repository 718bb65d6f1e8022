package journal

// What a platform lost is sent again, for as long as it is here.

import (
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// BlobLost has a blob sent again that the platform had and has no more. One that waits anyway, or is not here, is left as it
// is; it reports whether there was one to send.
func (j *Journal) BlobLost(h wire.Hash) (bool, error) {
	prefix := j.key.name(h[:]) + "/"
	var sent []string
	err := j.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketBlobs).Cursor()
		for k, _ := c.Seek([]byte(prefix)); k != nil && strings.HasPrefix(string(k), prefix); k, _ = c.Next() {
			owned := strings.TrimPrefix(string(k), prefix)
			e, err := readOwned(tx, owned)
			if err != nil {
				return err
			}
			if e.Upload && e.Sent {
				sent = append(sent, owned)
			}
		}
		return nil
	})
	if err != nil || len(sent) == 0 {
		return false, err
	}
	return true, j.Update(func(tx *Tx) error {
		for _, owned := range sent {
			e, err := readOwned(tx.tx, owned)
			if err != nil {
				return err
			}
			e.Sent = false
			if err := tx.putOwned(owned, e); err != nil {
				return err
			}
		}
		return nil
	})
}
