package devices

import "context"

// Power is where the terminal's power comes from (XFS4IoT auxiliaries' UPS words).
type Power string

// Power words.
const (
	PowerNotSupported Power = "notSupported"
	PowerUnknown      Power = "unknown"
	PowerGood         Power = "good"      // from the mains
	PowerEngaged      Power = "powering"  // from the battery
	PowerLow          Power = "low"       // from a battery that is nearly empty, or one that would be at once
	PowerFailed       Power = "upsFailed" // the UPS itself is broken: the next power cut is not bridged
)

// Unmeasured stands for a figure of [PowerStatus] that the UPS does not give.
const Unmeasured = -1

// PowerStatus is what a UPS says.
type PowerStatus struct {
	Power   Power
	Testing bool // of its battery, by itself
	// InputVolts, LoadPercent (0 to 100, more when overloaded), BatteryVolts, ChargePercent and RuntimeSeconds are
	// [Unmeasured] where the UPS does not say.
	InputVolts, LoadPercent, BatteryVolts, ChargePercent, RuntimeSeconds float64
}

// A UPS tells about the power. Nothing in this interface switches it off: whoever does so needs the citizens' cases closed.
type UPS interface {
	Device
	// Power asks the UPS. Errors as of Probe; with an error the power is [PowerUnknown].
	Power(ctx context.Context) (PowerStatus, error)
}
