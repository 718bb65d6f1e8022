module github.com/budayang/kiosk/test/bench/photo

go 1.26.0

require (
	github.com/budayang/kiosk v0.0.0
	github.com/yalue/onnxruntime_go v1.27.0
	golang.org/x/sys v0.49.0
)

require (
	github.com/pelletier/go-toml/v2 v2.4.3 // indirect
	golang.org/x/image v0.44.0 // indirect
)

replace github.com/budayang/kiosk => ../../..
