package photo

// What is said to the person before the camera. The words are short, because they are also spoken.

import (
	"maps"
	"slices"
)

// An Advice is what the person should do, or what is wrong with a photo.
type Advice string

// Advices that do not come from a profile.
const (
	AdviceNone     Advice = ""
	AdviceHold     Advice = "hold"     // all is well: do not move
	AdviceNobody   Advice = "nobody"   // no face
	AdviceOthers   Advice = "others"   // more than one face
	AdviceCloser   Advice = "closer"   // too far away for the photo's resolution
	AdviceBack     Advice = "back"     // the photo does not fit into the picture
	AdviceLeft     Advice = "left"     // step to your left
	AdviceRight    Advice = "right"    // step to your right
	AdviceTaller   Advice = "taller"   // too low: sit or stand higher
	AdviceLower    Advice = "lower"    // too high
	AdviceFileSize Advice = "filesize" // no quality gives the size wanted: a person must look
)

// words are in Chinese and in English.
var words = map[Advice][2]string{
	AdviceHold:     {"很好，请保持不动。", "Good. Please keep still."},
	AdviceNobody:   {"请面对镜头。", "Please face the camera."},
	AdviceOthers:   {"镜头里请只留一个人。", "Only one person in the picture, please."},
	AdviceCloser:   {"请靠近一点。", "Please come closer."},
	AdviceBack:     {"请退后一点。", "Please step back."},
	AdviceLeft:     {"请向左移一点。", "Please move to your left."},
	AdviceRight:    {"请向右移一点。", "Please move to your right."},
	AdviceTaller:   {"请坐高一点。", "Please sit higher."},
	AdviceLower:    {"请坐低一点。", "Please sit lower."},
	AdviceFileSize: {"照片需要工作人员查看。", "A member of staff must look at the photo."},
	"turn-left":    {"请把脸向左转一点。", "Please turn your face to your left."},
	"turn-right":   {"请把脸向右转一点。", "Please turn your face to your right."},
	"chin-up":      {"请抬头一点。", "Please raise your chin."},
	"chin-down":    {"请低头一点。", "Please lower your chin."},
	"straighten":   {"请把头摆正。", "Please hold your head straight."},
	"eyes":         {"请睁开眼睛。", "Please open your eyes."},
	"mouth":        {"请闭上嘴，表情自然。", "Please close your mouth."},
	"still":        {"请不要动，照片有些模糊。", "Please keep still: the picture is blurred."},
	"dark":         {"光线太暗，请稍等调整。", "It is too dark."},
	"bright":       {"光线太亮，请稍等调整。", "It is too bright."},
	"uneven":       {"脸上光线不均匀，请正对镜头。", "The light on your face is uneven. Please face the camera."},
	"flat":         {"照片层次不够，请稍等调整。", "The picture has too little contrast."},
	"colour":       {"脸部颜色不自然，请稍等调整。", "The colour of the face is not natural."},
	"background":   {"背景不合格，请靠近白色背景。", "The background is not right."},
	"shadow":       {"背景上有影子，请向前坐一点。", "There is a shadow behind you. Please sit forward a little."},
	"white-top":    {"衣服颜色太浅，请穿深色上衣。", "Your clothes are too light. Please wear a darker top."},
	"hair":         {"请让头部上方留出空白。", "Please leave room above your head."},
	"size":         {"头部大小不合适，请调整距离。", "The head does not have the right size. Please change your distance."},
	"centre":       {"请坐到中间。", "Please sit in the middle."},
	"covered":      {"脸部好像有遮挡，请露出整张脸。", "Your face seems to be covered."},
	"head":         {"请摘下帽子或头巾。", "Please take off your hat or scarf."},
	"print":        {"像是举着一张照片，需要工作人员查看。", "This looks like a photo of a photo. A member of staff must look."},
	"glare":        {"眼镜反光，请低头一点或摘下眼镜。", "Your glasses reflect the light."},
}

// Advices are all there are.
func Advices() []Advice { return slices.Sorted(maps.Keys(words)) }

// Words are an advice in a language: "en", or Chinese for every other.
func (a Advice) Words(language string) string {
	w := words[a]
	if language == "en" {
		return w[1]
	}
	return w[0]
}
