package ui

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fyne.io/fyne/v2/test"

	"github.com/budayang/kiosk/assets"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/maintain"
)

var noon = time.Date(2026, 11, 24, 21, 47, 0, 0, time.UTC)

// always is a link in one state.
type always service.Link

func (l always) Link() service.Link       { return service.Link(l) }
func (l always) Changed() <-chan struct{} { return nil }

func both(zh, en string) service.Text { return service.Worded(map[string]string{"zh": zh, "en": en}) }

// portrait is the terminal of the design pictures.
var portrait = Screen{1080, 1920, 546}

// show builds a screen without a window system.
func newTest(t testing.TB, s Screen, lang string, large bool) *Terminal {
	t.Helper()
	words, err := LoadWords(assets.FS, "lang")
	if err != nil {
		t.Fatal(err)
	}
	a := test.NewApp()
	w := a.NewWindow("")
	now := noon
	x := New(Options{App: a, Window: w, Screen: s, Language: lang, Site: "示例区市民之家", Terminal: "03 号终端", Words: words,
		Link: always(service.LinkUp), Now: func() time.Time { return now }, Technician: func() {}})
	w.Resize(fyneSize(s))
	if large {
		set := x.set
		set.large = true
		x.apply(set)
	}
	t.Cleanup(func() { w.Close() })
	return x
}

// sample is one state of one screen.
type sample struct {
	name  string
	what  any
	later func(*Terminal)
}

func samples() []sample {
	steps := []service.Text{both("核验身份", "Identity"), both("填写", "Details"), both("核对", "Check"), both("打印", "Print")}
	at := func(i int) service.Page {
		return service.Page{Item: "SB-P", Steps: steps, At: i, Back: true, Exit: true}
	}
	none := service.Page{At: -1}
	open := service.Page{At: -1, Exit: true}
	tiles := []service.Tile{
		{Code: "SB-P", Icon: "certificate", Name: both("参保证明打印", "Social insurance certificate"), Hint: both("带电子印章的 A4 证明，约 1 分钟，免费", "A4 certificate with electronic seal, about 1 minute, free"), Ready: true},
		{Code: "SB-Q", Icon: "shield", Name: both("社保信息查询", "Social insurance records"), Hint: both("参保状态、缴费月数、账户余额", "Status, months paid, balance"), Ready: true},
		{Code: "12345", Icon: "phone", Name: both("12345 诉求登记", "Requests to 12345"), Hint: both("手写反映问题，离线也能登记", "Write by hand; works offline too"), Ready: true},
		{Code: "GUIDE", Icon: "guide", Name: both("办事指南", "Guide"), Hint: both("要带什么材料、去哪个窗口", "What to bring, and where to go"), Ready: false, Why: both("凭条打印机缺纸，已通知工作人员", "The slip printer is out of paper; staff have been told")},
	}
	levels := []service.Option{{ID: "5", Label: both("非常满意", "Very satisfied")}, {ID: "4", Label: both("满意", "Satisfied")},
		{ID: "3", Label: both("基本满意", "Fairly satisfied")}, {ID: "2", Label: both("不满意", "Dissatisfied")}, {ID: "1", Label: both("非常不满意", "Very dissatisfied")}}
	person := []service.Row{
		{Label: both("姓名", "Name"), Plain: "李晓雯", Masked: "李*雯", Private: true},
		{Label: both("证件号", "Number"), Plain: "990000199211050221", Masked: "9900**********0221", Private: true},
		{Label: both("用途", "Purpose"), Value: both("子女入学", "School enrolment")},
		{Label: both("参保时段", "Period"), Value: both("最近 12 个月", "Last 12 months")},
	}
	return []sample{
		{"starting", starting{}, nil},
		{"attract", service.Attract{Page: none, Tiles: tiles, Notices: []service.Text{both("全天 24 小时服务，法定节假日不打烊", "Open every day of the year")}}, nil},
		{"home", service.Home{Page: open, Tiles: tiles}, nil},
		{"consent", service.Consent{Page: at(0), Title: both("先核验您的身份", "First, we check your identity"), Lines: []service.Text{
			both("本次办理需要读取您的身份证，并向您预留的手机号发送验证码。", "We read your identity card and send a code to your registered phone."),
			both("身份信息只用于办理您选择的事项，离开后立即从本机清除。", "Your details are used only for the service you chose and are erased from this terminal when you leave."),
			both("不同意也没关系，您可以到人工窗口办理。", "If you would rather not, the service counter will gladly help you.")}}, nil},
		{"identify", service.PlaceCard{Page: at(0)}, nil},
		{"identify-again", service.PlaceCard{Page: at(0)}, func(t *Terminal) { t.state.note = "again" }},
		{"verify", service.EnterCode{Page: at(0), Phone: "138****0002", Until: noon.Add(5 * time.Minute), TriesLeft: 3, Digits: 6}, func(t *Terminal) { t.state.values["code"] = "4071" }},
		{"verify-others", service.EnterCode{Page: at(0), Phone: "138****0002", Until: noon.Add(5 * time.Minute), TriesLeft: 3, Digits: 6, Others: true}, nil},
		{"choose-way", service.Choose{Page: at(0), Title: both("用哪种方式核验您本人？", "How shall we check that it is you?"), Hint: both("几种方式效力相同，请选方便的一种。", "All of them count the same: choose what suits you."), Options: []service.Option{
			{ID: "code", Label: both("手机验证码", "A code on your phone"), Detail: both("发到您登记的手机号", "Sent to the number that is registered for you")},
			{ID: "fingerprint", Label: both("指纹", "Fingerprint"), Detail: both("与办身份证时登记的指纹比对", "Compared with the one registered for your identity card")},
			{ID: "staff", Label: both("请工作人员核验", "Ask a member of staff"), Detail: both("工作人员过来核对您本人和证件", "They come and compare you with your document")}}}, nil},
		{"staff", service.AwaitStaff{Page: at(0), Number: "4827", Until: noon.Add(5 * time.Minute), Others: true}, nil},
		{"consent-finger", service.Consent{Page: at(0), Title: both("用指纹核验身份吗？", "Shall we compare your fingerprint?"), Lines: []service.Text{
			both("本机采集一枚指纹的图像，送公安机关与您登记的指纹比对。", "This terminal takes a picture of one finger and has it compared with the fingerprint that is registered for you."),
			both("图像比对后立即清除，本机和平台都不保存。", "The picture is erased at once after that. Neither the terminal nor the platform keeps it."),
			both("指纹是敏感个人信息。不同意的，可以用其他方式核验，办理不受影响。", "A fingerprint is sensitive. Another way does just as well.")}, Otherwise: both("用其他方式", "Another way")}, nil},
		{"finger", service.LayFinger{Page: at(0), Phase: service.FingerLay, Left: 3, Others: true}, nil},
		{"finger-comes", service.LayFinger{Page: at(0), Phase: service.FingerComes, Left: 3, Others: true}, nil},
		{"finger-lift", service.LayFinger{Page: at(0), Phase: service.FingerLift, Left: 2, Others: true, Problem: both("手指有些干。请呵一口气，再放一次。", "The finger is dry. Please breathe on it and try again.")}, nil},
		{"verify-wrong", service.EnterCode{Page: at(0), Phone: "138****0002", Until: noon.Add(5 * time.Minute), TriesLeft: 2, Digits: 6, Wrong: true}, nil},
		{"form-choice", service.Form{Page: at(1), Title: both("证明用在哪里？", "What is the certificate for?"), Hint: both("用途会印在证明上。", "The purpose is printed on the certificate."), Fields: []service.Field{
			{ID: "purpose", Kind: service.FieldChoice, Required: true, Label: both("用途", "Purpose"), Value: "school", Options: []service.Option{
				{ID: "school", Label: both("子女入学", "School enrolment")}, {ID: "housing", Label: both("购房或落户", "Housing or registration")},
				{ID: "loan", Label: both("贷款", "Loan")}, {ID: "job", Label: both("求职或投标", "Job or tender")}, {ID: "other", Label: both("其他", "Other")}}},
			{ID: "period", Kind: service.FieldChoice, Required: true, Label: both("参保时段", "Period"), Value: "m", Options: []service.Option{
				{ID: "s", Label: both("最近 6 个月", "Last 6 months")}, {ID: "m", Label: both("最近 12 个月", "Last 12 months")},
				{ID: "l", Label: both("最近 36 个月", "Last 36 months")}, {ID: "all", Label: both("全部", "Whole record")}}}}}, nil},
		{"form-phone", service.Form{Page: at(1), Title: both("怎么联系您？", "How can we reach you?"), Hint: both("只用来告诉您办理结果。", "Only to tell you the result."), Fields: []service.Field{
			{ID: "phone", Kind: service.FieldPhone, Label: both("联系电话", "Phone"), Hint: both("11 位手机号", "11 digits"), Private: true, Problem: both("请填 11 位手机号。", "Please enter 11 digits.")}}},
			func(t *Terminal) { t.state.values["phone"] = "1380000" }},
		{"form-latin", service.Form{Page: at(1), Title: both("请输入护照号", "Passport number"), Fields: []service.Field{
			{ID: "no", Kind: service.FieldLatin, Label: both("护照号", "Number"), Hint: both("字母和数字", "Letters and digits"), Required: true}}}, nil},
		{"choose", service.Choose{Page: at(1), Title: both("您要反映哪方面的问题？", "What is it about?"), Options: []service.Option{
			{ID: "a", Label: both("窗口与办事服务", "Counter and services")}, {ID: "b", Label: both("自助终端使用", "Using this terminal")},
			{ID: "c", Label: both("社会保障", "Social security")}, {ID: "d", Label: both("住房与物业", "Housing")},
			{ID: "e", Label: both("交通出行", "Traffic")}, {ID: "f", Label: both("其他", "Something else")}}}, nil},
		{"ink", service.Ink{Page: at(1), Title: both("请用手指写下您的诉求", "Please write your request with a finger"), Hint: both("写不下可以分行，写完按下一步。", "Use several lines if you need them.")},
			func(t *Terminal) {
				t.state.strokes = [][]image.Point{{{200, 200}, {400, 210}}, {{300, 150}, {300, 420}}, {{180, 420}, {430, 425}}}
			}},
		{"review", service.Review{Page: at(2), Title: both("请核对，确认后开始打印", "Please check, then we print"), Rows: person,
			Notice: both("确认后会打印一张 A4 证明和一张凭条。", "One A4 certificate and a slip will be printed.")}, nil},
		{"review-shown", service.Review{Page: at(2), Title: both("请核对，确认后开始打印", "Please check, then we print"),
			Rows: []service.Row{{Label: both("姓名", "Name"), Plain: "𠮷田美", Masked: "𠮷*美", Private: true}}},
			func(t *Terminal) { t.state.reveal["0a0"] = true }},
		{"review-lacking", service.Review{Page: at(2), Title: both("请核对证件内容", "Please check what will be printed"),
			Rows:   []service.Row{{Label: both("姓名", "Name"), Plain: "王\uE863", Masked: "王*", Private: true}, {Label: both("民族", "Nation"), Plain: "汉"}},
			Notice: both("内容有误请到窗口更正。", "If something is wrong, the counter corrects it.")},
			func(t *Terminal) { t.state.reveal["0a0"] = true }},
		{"result", service.Result{Page: open, Title: both("社会保险信息", "Social insurance"), AsOf: noon, CanPrint: true, Sections: []service.Section{
			{Title: both("参保人", "Insured person"), Rows: person[:2]},
			{Title: both("企业职工基本养老保险", "Basic pension insurance"), Rows: []service.Row{{Label: both("参保时间", "Insured since"), Plain: "2015-03"},
				{Label: both("累计缴费月数", "Months paid"), Plain: "140"}, {Label: both("个人账户余额(元)", "Account balance (yuan)"), Plain: "45920.00", Masked: "******", Private: true}}},
			{Title: both("职工基本医疗保险", "Basic medical insurance"), Rows: []service.Row{{Label: both("参保时间", "Insured since"), Plain: "2015-03"}, {Label: both("累计缴费月数", "Months paid"), Plain: "140"}}},
			{Title: both("失业保险", "Unemployment insurance"), Rows: []service.Row{{Label: both("参保时间", "Insured since"), Plain: "2015-03"}}}}}, nil},
		{"guide", service.Guide{Page: open, Title: both("社会保险参保登记", "Registering for social insurance"), CanPrint: true, Sections: []service.GuideSection{
			{Title: both("要带的材料", "What to bring"), Lines: []service.Text{both("居民身份证原件", "Your identity card"), both("劳动合同或灵活就业登记表", "Employment contract or registration form")}},
			{Title: both("办理地点", "Where"), Lines: []service.Text{both("一楼 C 区 12 至 18 号窗口，工作日 9:00 至 17:00", "Counters 12 to 18, ground floor, workdays 9:00 to 17:00")}}}}, nil},
		{"wait", service.Wait{Page: at(2), Title: both("正在向平台申请证明", "Asking for your certificate"), Hint: both("通常只要几秒钟。", "Usually a few seconds."), CancelAfter: 15 * time.Second}, nil},
		{"wait-late", service.Wait{Page: at(2), Title: both("正在向平台申请证明", "Asking for your certificate"), CancelAfter: 15 * time.Second}, func(t *Terminal) { t.state.late = true }},
		{"progress", service.Progress{Page: service.Page{Steps: steps, At: 3}, Title: both("正在打印您的证明", "Printing your certificate"), Hint: both("请不要离开，很快就好。", "Please stay, it will not take long."),
			Stages: []service.Stage{{Label: both("签发证明", "Issuing"), State: service.StageDone, Percent: -1}, {Label: both("打印证明", "Printing"), State: service.StageRunning, Percent: 60},
				{Label: both("打印凭条", "Slip"), State: service.StageWaiting, Percent: -1}, {Label: both("上报中心平台", "Report"), State: service.StageLater, Percent: -1}},
			Note: both("如果中途停电也不用担心：您的申请已经保存，不会重复出证。", "Should the power fail: your request is saved and nothing is issued twice."),
			Rows: []service.Row{{Label: both("姓名", "Name"), Plain: "李*雯"}, {Label: both("证件号", "Number"), Plain: "9900**********0221"},
				{Label: both("受理号", "Receipt code"), Plain: "03-20261124-000138"}, {Label: both("证明编号", "Certificate no."), Plain: "SBP-990000-20261124-000138"}}}, nil},
		{"pay", service.Pay{Page: at(3), Title: both("请用手机扫码交费", "Please scan and pay"), Amount: "10.00", Reason: both("工本费（政府非税收入）", "Fee for the card (state revenue)"),
			QR: "https://pay.example/b/99000026112900000138", Number: "99000026112900000138", Cash: both("现金请到 2 号窗口", "Cash at counter 2"), Until: noon.Add(4*time.Minute + 38*time.Second), Reserved: true}, nil},
		{"pay-ways", service.Pay{Page: at(3), Title: both("请用手机扫码交费", "Please scan and pay"), Amount: "10.00", Reason: both("工本费（政府非税收入）", "Fee for the card (state revenue)"),
			QR: "https://qr.alipay.com/bax0123456789abcdef", Way: "alipay", Ways: []service.Option{{ID: "province", Label: both("缴款码", "Bill code")}, {ID: "wechat", Label: both("微信支付", "WeChat Pay")}, {ID: "alipay", Label: both("支付宝", "Alipay")}},
			Number: "99000026112900000138", Cash: both("现金请到 2 号窗口", "Cash at counter 2"), Until: noon.Add(4*time.Minute + 38*time.Second), Reserved: true}, nil},
		{"pay-changed", service.Pay{Page: at(3), Title: both("请用手机扫码交费", "Please scan and pay"), Amount: "5.00", Reason: both("工本费（减半收取）", "Fee for the card (half)"),
			QR: "https://pay.example/b/99000026112900000139", Number: "99000026112900000139", Until: noon.Add(59 * time.Second), Changed: true}, nil},
		{"pay-confirming", service.Pay{Page: at(3), Title: both("请用手机扫码交费", "Please scan and pay"), Amount: "10.00", Reason: both("工本费（政府非税收入）", "Fee for the card (state revenue)"),
			QR: "https://pay.example/b/99000026112900000138", Number: "99000026112900000138", Until: noon.Add(2 * time.Minute), Confirming: true}, nil},
		{"consent-face", service.Consent{Page: at(0), Title: both("用刷脸核验身份吗？", "Shall we compare your face?"), Lines: []service.Text{
			both("本机拍一张照片，送公安人口库比对是否本人。照片比对后立即删除，不保存。", "We take one picture and compare it with the register. It is deleted at once and kept nowhere."),
			both("人脸信息是敏感个人信息。不同意的，可以用手机验证码等其他方式核验，办理不受影响。", "A face is sensitive. Another way, such as a code on your phone, does just as well.")}, Otherwise: both("用其他方式", "Another way")}, nil},
		{"identify-type", service.PlaceCard{Page: at(0), Other: true}, nil},
		{"identify-voucher", service.PlaceCard{Page: at(0), Other: true, Voucher: true}, nil},
		{"identify-voucher-other", service.PlaceCard{Page: at(0), Other: true, Voucher: true}, func(t *Terminal) { t.state.note = service.NotVoucher }},
		{"form-number", service.Form{Page: at(0), Title: both("请输入身份证号", "Please enter your identity number"), Hint: both("没有带证也可以办，之后会核验是不是本人。", "You need no card. We check afterwards that it is you."),
			Fields: []service.Field{{ID: "number", Kind: service.FieldIDNumber, Label: both("证件号", "Number"), Required: true, Max: 18, Private: true}}},
			func(t *Terminal) { t.state.values["number"] = "9900001990030" }},
		{"photo", service.Pose{Page: at(1), Title: both("请正对镜头", "Please face the camera"), Hint: both("画框变绿后自动拍照，不满意可以重拍。", "The photo is taken when the frame turns green. You may take it again."), Left: 5},
			func(t *Terminal) { sitter(t, false, both("请靠近一点。", "Please come closer.")) }},
		{"photo-good", service.Pose{Page: at(1), Title: both("请正对镜头", "Please face the camera"), Problem: both("请睁开眼睛。", "Please open your eyes."), Left: 4},
			func(t *Terminal) { sitter(t, true, both("很好，请保持不动。", "Good. Please keep still.")) }},
		{"photo-starting", service.Pose{Page: at(1), Title: both("请正对镜头，核验身份", "Please face the camera"), Left: 2, Face: true}, nil},
		{"pick-photo", service.PickPhoto{Page: at(1), Title: both("选一张用在证件上", "Choose one for the card"), Photos: [][]byte{sitting(358, 441), sitting(358, 441)}, Left: 3}, nil},
		{"pick-photo-last", service.PickPhoto{Page: at(1), Title: both("选一张用在证件上", "Choose one for the card"), Photos: [][]byte{sitting(358, 441)}}, nil},
		{"decision", service.AwaitDecision{Page: service.Page{Item: "TID", Steps: steps, At: 2, Exit: true}, Title: both("正在审核", "An official is looking at it"),
			Hint:    both("通过后在这里交费、取证。可以先离开，凭受理号到本大厅任意一台终端继续。", "Then you pay and get the card here. You may leave and go on at any terminal of this hall with the code."),
			Receipt: "03-20261124-000138", Number: "TID-990000-20261124-000017", Wait: 4 * time.Minute, QR: "03-20261124-000138"}, nil},
		{"take-made", service.TakeOutput{Page: none, Card: true}, nil},
		{"take-made-urgent", service.TakeOutput{Page: none, Card: true, Urgent: true}, nil},
		{"take-card", service.TakeCard{Page: none}, nil},
		{"take-card-urgent", service.TakeCard{Page: none, Urgent: true}, nil},
		{"take-output", service.TakeOutput{Page: none}, nil},
		{"done", service.Done{Page: none, Title: both("办好了，请取走证明和凭条", "Done. Please take your papers"), Rows: []service.Row{{Label: both("受理号", "Receipt code"), Plain: "03-20261124-000138"}, {Label: both("用时", "Took"), Value: both("1 分 12 秒", "1 min 12 s")}},
			Levels: levels, CardOnGlass: true}, nil},
		{"trouble", service.Trouble{Page: none, What: both("证明没有打印完整", "The certificate was not printed completely"), Means: both("您的办件已经保存，不会丢失，也不会重复出证。", "Your case is saved. Nothing is lost and nothing will be issued twice."),
			Do: both("请凭下面的代码联系工作人员。", "Please show this code to the staff."), Code: "03-20261124-000138", QR: "03-20261124-000138"}, nil},
		{"trouble-queue", refusedWith(false), nil},
		{"trouble-no-ticket", refusedWith(true), nil},
		{"ticket", aTicket(true, 6, 13*time.Minute), nil},
		{"ticket-own", ownTicket(), nil},
		{"ticket-no-slip", aTicket(false, 0, 0), nil},
		{"out-of-service", service.OutOfService{Page: none, Why: both("读卡区还有一张身份证，请取走或交给工作人员。", "There is a card on the reader. Please take it or hand it to the staff."), Code: "E-CARD-LEFT"}, nil},
		{"warning", service.Consent{Page: at(0), Title: both("先核验您的身份", "First, we check your identity")}, func(t *Terminal) { t.warning = true }},
		{"help", service.Home{Page: open, Tiles: tiles}, func(t *Terminal) { t.help = true }},
		{"tech-enter", service.Form{Page: open, Title: service.T("tech.enter.title"), Hint: service.T("tech.enter.hint"), Fields: []service.Field{
			{ID: "code", Kind: service.FieldDigits, Label: service.T("tech.enter.code"), Required: true, Max: 8},
			{ID: "pin", Kind: service.FieldDigits, Label: service.T("tech.enter.pin"), Required: true, Max: 12, Secret: true, Problem: service.T("tech.enter.wrong-code", "left", "4")}}},
			func(t *Terminal) { t.state.values["code"], t.state.values["pin"] = "1001", "481516" }},
		{"form-latin-text", service.Form{Page: open, Title: both("平台地址", "Platform's address"), Fields: []service.Field{
			{ID: "url", Kind: service.FieldText, Label: both("地址", "Address"), Required: true}}}, func(t *Terminal) { t.state.values["url"], t.state.signs = "https://platform.example:8443", true }},
		{"form-han", hallForm(), func(t *Terminal) {
			t.state.field, t.state.script, t.state.typed = "site", scriptHan, "dating"
			t.state.values["site"] = "示例区政务"
		}},
		{"form-han-page", hallForm(), func(t *Terminal) {
			t.state.field, t.state.script, t.state.typed, t.state.offer = "site", scriptHan, "shi", 2
			t.state.values["site"] = "示例区"
		}},
		{"prov-steps", provisionSteps(), nil},
		{"prov-devices", provisionDevices(), nil},
		{"prov-failed", provisionFailed(), nil},
		{"tech-home", consoleHome(), nil},
		{"tech-supplies", consoleSupplies(), nil},
		{"tech-ribbon", consoleRibbon(), nil},
		{"tech-shifts", consoleShifts(), nil},
		{"tech-logs", consoleLogs(), nil},
		{"tech-logs-next", consoleLogs(), func(t *Terminal) { t.state.page = 1 }},
		{"tech-network", consoleNetwork(), nil},
		{"tech-locked", maintain.Panel{Page: open, ID: "locked", Title: service.T("tech.locked.title"), Hint: service.T("tech.locked.hint", "time", "22:02"),
			Next: maintain.Button{ID: "understood", Label: service.T("tech.understood")}}, nil},
	}
}

// refusedWith is a refusal whose next step is a window with a queue.
func refusedWith(noTicket bool) service.Trouble {
	return service.Trouble{Page: service.Page{At: -1, Exit: true}, What: both("您的户籍情况需由窗口人员核对", "Somebody at the window must look at your registration"),
		Means: both("没有收费，也没有提交申请。", "Nothing was charged and no application was made."), Do: both("请携带户口簿或集体户首页取号到窗口办理", "Take a ticket for the window, and bring the household register"),
		Code: "E-CARD-REFUSED", NoTicket: noTicket, Queue: &service.Queue{Name: both("户籍业务", "Household registration"), Windows: []string{"3", "4"}, Waiting: 6, Wait: 12*time.Minute + time.Second}}
}

// aTicket is a number that was taken after it.
func aTicket(printed bool, ahead int, wait time.Duration) service.Queued {
	x := refusedWith(false)
	return service.Queued{Page: x.Page, What: x.What, Do: x.Do, Printed: printed,
		Ticket: service.Ticket{Number: "A023", Name: x.Queue.Name, Windows: x.Queue.Windows, Ahead: ahead, Wait: wait, Taken: noon}}
}

// ownTicket is a number that was given without a link.
func ownTicket() service.Queued {
	x := aTicket(true, -1, 0)
	x.Ticket.Number, x.Ticket.Own, x.What, x.Do = "A03-1422", true, service.Text{}, service.Text{}
	return x
}

// hallForm is the step of provisioning that asks for the hall's name.
func hallForm() service.Form {
	field := func(id string, k service.FieldKind, value string) service.Field {
		return service.Field{ID: id, Kind: k, Label: service.T("prov.field." + id), Hint: service.T("prov.field." + id + ".hint"), Required: true, Value: value}
	}
	return service.Form{Page: service.Page{At: -1, Back: true}, Title: service.T("prov.step.identity"), Hint: service.T("prov.step.identity.hint"), Fields: []service.Field{
		field("id", service.FieldText, "990000-0003"), field("no", service.FieldText, "03"), field("site", service.FieldHan, "")}}
}

// provisionSteps is provisioning in its middle.
func provisionSteps() maintain.Panel {
	p := maintain.Panel{Page: service.Page{At: -1}, ID: "provision", Title: service.T("prov.title"), Hint: service.T("prov.hint"),
		Left: maintain.Button{ID: "leave", Label: service.T("prov.leave")}, Next: maintain.Button{ID: "continue", Label: service.T("prov.continue")}}
	done := map[string]service.Text{"language": both("中文", "中文"), "identity": both("990000-0003 · 示例区政务大厅", "990000-0003 · 示例区政务大厅"),
		"screen": service.T("prov.said.screen", "width", "1080", "height", "1920", "mm", "546").With("turn", service.T("prov.turn.left")), "platform": both("https://platform.example:8443", "https://platform.example:8443")}
	for _, id := range []string{"language", "identity", "screen", "time", "platform", "enrol", "technician", "devices", "supplies", "items", "report"} {
		row := maintain.Row{ID: id, Label: service.T("prov.step." + id), Action: service.T("prov.open"), Pill: service.T("prov.open-yet"), Grade: maintain.GradeWarn}
		if said, is := done[id]; is {
			row.Detail, row.Pill, row.Grade = said, service.T("tech.grade.ok"), maintain.GradeOK
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}

// provisionDevices are all roles, some of them mapped to devices with long names.
func provisionDevices() maintain.Panel {
	p := maintain.Panel{Page: service.Page{At: -1, Back: true}, ID: "devices", Title: service.T("prov.step.devices"), Hint: service.T("prov.step.devices.hint"),
		Next: maintain.Button{ID: "next", Label: service.T("prov.accept")}}
	said := map[string]service.Text{
		"id-reader": service.T("prov.said.device", "uri", "usb:0400:c35a?port=1-2.3", "serial", "05.01-20101129-0001228293-0296863149").
			With("test", service.T("tech.said.card").With("kind", service.T("tech.kind.foreign-pr2")).With("photo", service.T("tech.said.no-photo"))),
		"receipt-printer": service.T("prov.said.device", "uri", "serial:/dev/serial/by-id/usb-1a86_USB2.0-Serial-if00-port0?baud=115200", "serial", "").With("test", service.T("tech.said.printed", "by", "fence")),
		"door": service.T("prov.said.device", "uri", "serial:/dev/serial/by-path/pci-0000:00:14.0-usb-0:4:1.0-port0?baud=9600", "serial", "").
			With("test", service.T("tech.said.door").With("door", service.T("tech.door.open")).With("tamper", service.T("tech.contact.quiet")).With("body", service.T("tech.contact.notSupported"))),
	}
	for _, r := range []string{"id-reader", "receipt-printer", "document-printer", "camera", "code-scanner", "card-dispenser", "card-printer", "card-check", "smart-card", "door", "lights", "ups", "sound"} {
		row := maintain.Row{ID: r, Label: service.T("tech.role." + r), Pill: service.T("prov.devices.none"), Action: service.T("prov.devices.map")}
		if d, is := said[r]; is {
			row.Detail, row.Pill, row.Grade = d, service.T("tech.grade.ok"), maintain.GradeOK
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}

// provisionFailed is a device that was tried and does not do.
func provisionFailed() maintain.Panel {
	return maintain.Panel{Page: service.Page{At: -1, Back: true}, ID: "told", Title: service.T("tech.role.door"), Rows: []maintain.Row{{Label: service.T("prov.devices.failed").
		With("why", service.T("fault.door-still", "words", "the door's switch said closed all the time; open or close the door once while it is tried").With("door", service.T("tech.door.closed"))).
		With("mend", service.T("mend.device.door")), Pill: service.T("tech.grade.bad"), Grade: maintain.GradeBad}}, Next: maintain.Button{ID: "understood", Label: service.T("tech.understood")}}
}

// consoleHome is the console of the design pictures.
func consoleHome() maintain.Panel {
	row := func(role, detail, state string, g maintain.Grade) maintain.Row {
		return maintain.Row{ID: "test." + role, Label: service.T("tech.role." + role), Detail: both(detail, detail), Pill: service.T("tech.state." + state), Grade: g, Action: service.T("tech.test")}
	}
	p := maintain.Panel{Page: service.Page{At: -1}, ID: "home", Title: service.T("tech.title"), Who: "张工", Until: noon.Add(14*time.Minute + 59*time.Second),
		Figures: []maintain.Figure{{Label: service.T("tech.figure.waiting"), Value: "0"}, {Label: service.T("tech.figure.cases"), Value: "138"}, {Label: service.T("tech.figure.cards"), Value: "62"}},
		Rows: []maintain.Row{
			row("id-reader", "SAM · serial:/dev/serial…if00-port0", "ok", maintain.GradeOK), row("receipt-printer", "ESC/POS · usb:04b8:0e15", "paper-low", maintain.GradeWarn),
			row("card-dispenser", "K720 · serial:/dev/serial…port2", "ok", maintain.GradeOK), row("document-printer", "ipp://printer.local/ipp/print", "cover-open", maintain.GradeBad),
			row("camera", "v4l2:/dev/v4l/by-path…index0", "ok", maintain.GradeOK), row("code-scanner", "serial:/dev/serial…QR", "no-device", maintain.GradeBad)},
		Left: maintain.Button{ID: "leave", Label: service.T("tech.leave")}, Next: maintain.Button{ID: "resume", Label: service.T("tech.resume")}}
	for _, id := range []string{"supplies", "network", "logs", "found", "settle", "restart", "desk", "board"} {
		p.Grid = append(p.Grid, maintain.Button{ID: id, Label: service.T("tech." + id)})
	}
	return p
}

func consoleSupplies() maintain.Panel {
	p := maintain.Panel{Page: service.Page{At: -1, Back: true}, ID: "supplies", Title: service.T("tech.supplies"), Hint: service.T("tech.supplies.hint"), Who: "张工", Until: noon.Add(2 * time.Minute)}
	for _, k := range []string{"sheet", "slip", "card", "ribbon"} {
		pill := both("312", "312")
		if k == "ribbon" {
			pill = service.T("tech.meter.less")
		}
		p.Rows = append(p.Rows, maintain.Row{ID: k, Label: service.T("tech.stock." + k), Action: service.T("tech.supplies.change"), Pill: pill, Grade: maintain.GradeWarn,
			Detail: service.T("tech.stock.equation", "loaded", "500", "issued", "183", "spoiled", "2", "retained", "0", "doubt", "3", "reserved", "0", "remaining", "312")})
	}
	return p
}

// consoleRibbon is a ribbon of which the printer says less than the ledger.
func consoleRibbon() maintain.Panel {
	p := maintain.Panel{Page: service.Page{At: -1, Back: true}, ID: "supply", Title: service.T("tech.stock.ribbon"), Hint: service.T("tech.supply.ribbon"), Who: "张工", Until: noon.Add(2 * time.Minute)}
	for _, x := range []struct{ part, n string }{{"loaded", "250"}, {"issued", "57"}, {"spoiled", "2"}, {"retained", "0"}, {"doubt", "1"}, {"reserved", "1"}, {"remaining", "189"}} {
		p.Rows = append(p.Rows, maintain.Row{Label: service.T("tech.stock." + x.part), Pill: both(x.n, x.n)})
	}
	p.Rows[6].Grade = maintain.GradeOK
	p.Rows = append(p.Rows, maintain.Row{Label: service.T("tech.meter"), Pill: both("180", "180"), Detail: service.T("tech.meter.less.hint"), Grade: maintain.GradeWarn})
	for _, id := range []string{"load", "remove", "count"} {
		p.Grid = append(p.Grid, maintain.Button{ID: id, Label: service.T("tech.stock." + id)})
	}
	return p
}

// consoleShifts are shifts that ended, with their slips.
func consoleShifts() maintain.Panel {
	p := maintain.Panel{Page: service.Page{At: -1, Back: true}, ID: "shifts", Title: service.T("tech.shifts"), Hint: service.T("tech.shifts.hint"), Who: "张工", Until: noon.Add(2 * time.Minute)}
	for _, x := range []struct {
		no, detail, slip, action string
		g                        maintain.Grade
	}{{"12", "2026-11-29 18:02:11 · op.zhang", "due", "print", maintain.GradeWarn}, {"11", "2026-11-28 18:00:40 · op.li", "printed", "copy", maintain.GradeOK},
		{"10", "2026-11-27 18:01:07 · op.zhang", "unknown", "copy", maintain.GradeWarn}} {
		p.Rows = append(p.Rows, maintain.Row{ID: x.no, Label: service.T("tech.shift", "no", x.no), Detail: both(x.detail, x.detail), Pill: service.T("tech.slip." + x.slip), Grade: x.g,
			Action: service.T("tech.shift." + x.action)})
	}
	return p
}

// consoleNetwork is what the doctor says of a line that is down, in the screen's language.
func consoleNetwork() maintain.Panel {
	row := func(g maintain.Grade, what, mend service.Text) maintain.Row {
		return maintain.Row{Label: what, Detail: mend, Pill: service.T("tech.grade." + string(g)), Grade: g}
	}
	return maintain.Panel{Page: service.Page{At: -1, Back: true}, ID: "network", Title: service.T("tech.network"), Who: "张工", Until: noon.Add(14 * time.Minute),
		GridFirst: true, Grid: []maintain.Button{{ID: "again", Label: service.T("tech.again")}}, Rows: []maintain.Row{
			row(maintain.GradeOK, service.T("doc.identity", "id", "990000-0003", "profile", "p256-sha256", "days", "360"), service.Text{}),
			row(maintain.GradeBad, service.T("doc.platform", "host", "platform.example:8443").With("why", service.T("fault.refused", "words", "dial tcp 192.0.2.7:8443: connect: connection refused", "path", "")),
				service.T("mend.platform.line")),
			row(maintain.GradeBad, service.T("doc.refused", "code", "E-CERT"), service.T("mend.refused.E-CERT", "id", "990000-0003")),
			row(maintain.GradeWarn, service.T("doc.clock.off").With("off", service.T("doc.span.seconds", "s", "12")), service.T("mend.clock.ntp"))}}
}

func consoleLogs() maintain.Panel {
	p := maintain.Panel{Page: service.Page{At: -1, Back: true}, ID: "logs", Title: service.T("tech.logs"), Hint: service.T("tech.logs.hint"), Who: "张工", Until: noon.Add(14 * time.Minute),
		GridFirst: true, Grid: []maintain.Button{{ID: "verify", Label: service.T("tech.verify")}, {ID: "bundle", Label: service.T("tech.bundle")}}}
	for i := range 30 {
		s := fmt.Sprintf("time=2026-11-24T21:%02d:00.000+08:00 level=INFO msg=device role=receipt-printer connection=online why=\"\" reasons=[]", 59-i)
		p.Rows = append(p.Rows, maintain.Row{Detail: both(s, s)})
	}
	return p
}

// sitting draws somebody who does not exist.
func sitting(w, h int) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, somebody(w, h), nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func somebody(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{226, 233, 240, 255}
			dx, dy := float64(x-w/2)/float64(h), float64(y)/float64(h)
			switch {
			case dx*dx+(dy-0.4)*(dy-0.4) < 0.04:
				c = color.RGBA{202, 167, 138, 255}
			case dy > 0.66 && dx*dx*2+(dy-1)*(dy-1) < 0.12:
				c = color.RGBA{46, 69, 104, 255}
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

// sitter puts them before the camera.
func sitter(t *Terminal, good bool, advice service.Text) {
	t.state.advice, t.state.good = advice, good
	t.build()
	var live service.Live
	m := somebody(640, 360)
	live.Show(&devices.Frame{Width: 640, Height: 360, Pixels: m.Pix})
	if _, _, _, ok := live.Draw(t.preview.img, 0); !ok {
		panic("no picture")
	}
	t.preview.draw()
}

// put shows a sample as the engine would.
func (t *Terminal) put(s sample) {
	switch x := s.what.(type) {
	case service.Prompt:
		t.show(x, nil, make(chan reply, 1), time.Time{})
	case service.View:
		t.show(nil, x, nil, time.Time{})
	}
	if _, poses := s.what.(service.Pose); poses && s.later != nil {
		s.later(t)
		return
	}
	if s.later != nil {
		s.later(t)
		t.build()
	}
}

var update = os.Getenv("BUDAYANG_UPDATE") != ""

// half is a picture at half its size.
func half(img image.Image) *image.NRGBA {
	b := img.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, b.Dx()/2, b.Dy()/2))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			var s [3]uint32
			for _, d := range [][2]int{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
				r, g, bl, _ := img.At(b.Min.X+2*x+d[0], b.Min.Y+2*y+d[1]).RGBA()
				s[0], s[1], s[2] = s[0]+r>>8, s[1]+g>>8, s[2]+bl>>8
			}
			out.SetNRGBA(x, y, color.NRGBA{uint8(s[0] / 4), uint8(s[1] / 4), uint8(s[2] / 4), 0xff})
		}
	}
	return out
}

// differs is the mean difference of two pictures in a channel, 0 to 255.
func differs(a, b image.Image) float64 {
	if a.Bounds().Size() != b.Bounds().Size() {
		return 255
	}
	var sum, n float64
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			r1, g1, b1, _ := a.At(x, y).RGBA()
			r2, g2, b2, _ := b.At(x, y).RGBA()
			for _, d := range []int{int(r1>>8) - int(r2>>8), int(g1>>8) - int(g2>>8), int(b1>>8) - int(b2>>8)} {
				sum += float64(max(d, -d))
				n++
			}
		}
	}
	return sum / n
}

func TestGoldenPictures(t *testing.T) {
	for _, lang := range []string{"zh", "en"} {
		for _, large := range []bool{false, true} {
			if underRace && (large || lang != "zh") {
				continue
			}
			size := "normal"
			if large {
				size = "large"
			}
			for i, s := range samples() {
				if underRace && i%4 != 0 {
					continue
				}
				name := fmt.Sprintf("%s-%s-%s.png", s.name, lang, size)
				t.Run(name, func(t *testing.T) {
					x := newTest(t, portrait, lang, large)
					x.put(s)
					got := half(x.opt.Window.Canvas().Capture())
					golden(t, filepath.Join("testdata", "golden", name), got)
				})
			}
		}
	}
}

func golden(t *testing.T, path string, got image.Image) {
	t.Helper()
	if update {
		save(t, path, got)
		return
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatalf("%v (make screens makes it, after you looked)", err)
	}
	defer f.Close()
	want, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if d := differs(want, got); d > 0.25 {
		save(t, filepath.Join("testdata", "failed", filepath.Base(path)), got)
		t.Errorf("picture differs by %.2f; what was drawn is in testdata/failed", d)
	}
}

func save(t *testing.T, path string, img image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}
