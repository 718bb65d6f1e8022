package face

// How a head is turned: the rotation that lays the canonical face best over the points (Horn, Closed-form solution of absolute
// orientation using unit quaternions, J. Opt. Soc. Am. A 4, 1987).

import "math"

// A Pose is how the head is turned, in degrees: Yaw is positive when the nose points to the picture's right, Pitch when it
// points up, Roll when the head leans to the picture's right (clockwise).
type Pose struct{ Yaw, Pitch, Roll float64 }

// Pose of the head.
func (m *Mesh) Pose() Pose {
	// Centre both sets of points, by weight. The picture's y is down and its z away from the camera.
	var total float64
	var a, b [3]float64
	for _, c := range canonical {
		p := m.Points[c.id]
		total += c.weight
		for i, v := range [3]float64{c.x, c.y, c.z} {
			a[i] += c.weight * v
		}
		for i, v := range [3]float64{p.X, -p.Y, -p.Z} {
			b[i] += c.weight * v
		}
	}
	var s [3][3]float64 // s[i][j]: canonical i with found j
	for _, c := range canonical {
		p := m.Points[c.id]
		from := [3]float64{c.x - a[0]/total, c.y - a[1]/total, c.z - a[2]/total}
		to := [3]float64{p.X - b[0]/total, -p.Y - b[1]/total, -p.Z - b[2]/total}
		for i := range 3 {
			for j := range 3 {
				s[i][j] += c.weight * from[i] * to[j]
			}
		}
	}
	q := largest([4][4]float64{
		{s[0][0] + s[1][1] + s[2][2], s[1][2] - s[2][1], s[2][0] - s[0][2], s[0][1] - s[1][0]},
		{s[1][2] - s[2][1], s[0][0] - s[1][1] - s[2][2], s[0][1] + s[1][0], s[2][0] + s[0][2]},
		{s[2][0] - s[0][2], s[0][1] + s[1][0], s[1][1] - s[0][0] - s[2][2], s[1][2] + s[2][1]},
		{s[0][1] - s[1][0], s[2][0] + s[0][2], s[1][2] + s[2][1], s[2][2] - s[0][0] - s[1][1]},
	})
	w, x, y, z := q[0], q[1], q[2], q[3]
	// Where the face looks, and where its own right goes, after the turn.
	look := [3]float64{2 * (x*z + w*y), 2 * (y*z - w*x), 1 - 2*(x*x+y*y)}
	side := [3]float64{1 - 2*(y*y+z*z), 2 * (x*y + w*z), 2 * (x*z - w*y)}
	const degree = math.Pi / 180
	return Pose{
		Yaw:   math.Atan2(look[0], look[2]) / degree,
		Pitch: math.Asin(max(-1, min(1, look[1]))) / degree,
		Roll:  -math.Atan2(side[1], math.Hypot(side[0], side[2])) / degree,
	}
}

// largest is the eigenvector of the largest eigenvalue of a symmetric matrix, by Jacobi's rotations.
func largest(a [4][4]float64) [4]float64 {
	v := [4][4]float64{{1}, {0, 1}, {0, 0, 1}, {0, 0, 0, 1}}
	for range 30 {
		p, q, off := 0, 1, 0.0
		for i := range 4 {
			for j := i + 1; j < 4; j++ {
				if math.Abs(a[i][j]) > off {
					p, q, off = i, j, math.Abs(a[i][j])
				}
			}
		}
		if off < 1e-12*(math.Abs(a[0][0])+math.Abs(a[1][1])+math.Abs(a[2][2])+math.Abs(a[3][3])) || off == 0 {
			break
		}
		theta := (a[q][q] - a[p][p]) / (2 * a[p][q])
		t := 1 / (math.Abs(theta) + math.Sqrt(theta*theta+1))
		if theta < 0 {
			t = -t
		}
		c := 1 / math.Sqrt(t*t+1)
		s := t * c
		for k := range 4 {
			a[k][p], a[k][q] = c*a[k][p]-s*a[k][q], s*a[k][p]+c*a[k][q]
		}
		for k := range 4 {
			a[p][k], a[q][k] = c*a[p][k]-s*a[q][k], s*a[p][k]+c*a[q][k]
			v[k][p], v[k][q] = c*v[k][p]-s*v[k][q], s*v[k][p]+c*v[k][q]
		}
	}
	best := 0
	for i := range 4 {
		if a[i][i] > a[best][best] {
			best = i
		}
	}
	return [4]float64{v[0][best], v[1][best], v[2][best], v[3][best]}
}
