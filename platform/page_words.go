package platform

// The page's words, in Chinese and English.

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"github.com/budayang/kiosk/assets"
)

// pageTexts are [key, zh, en].
var pageTexts = [][3]string{
	{"title", "Budayang 中心平台", "Budayang central platform"},
	{"other", "English", "中文"},
	{"stale", "平台没有应答，以下不是最新", "The platform does not answer: what is below is old"},
	{"terminals", "终端", "Terminals"},
	{"cases", "办件", "Cases"},
	{"id", "编号", "Number"},
	{"place", "位置", "Place"},
	{"link", "链路", "Link"},
	{"seen", "最近联系", "Last seen"},
	{"devices", "设备提示", "Devices to look at"},
	{"waits", "待传记录与图片", "Records and pictures waiting"},
	{"disk", "磁盘余量", "Disk free"},
	{"sample", "遥测", "Telemetry"},
	{"n_lost", "条丢失", "lost"},
	{"receipt", "受理号", "Receipt code"},
	{"service", "事项", "Service"},
	{"person", "办事人", "Person"},
	{"status", "状态", "State"},
	{"rating", "评价", "Rating"},
	{"time", "时间", "Time"},
	{"terminal", "终端", "Terminal"},
	{"online", "在线", "online"},
	{"offline", "离线", "offline"},
	{"and", "、", ", "},
	{"n_cases", "件办件", "cases"},
	{"n_records", "条记录", "records"},
	{"n_documents", "份证明", "certificates"},
	{"n_ratings", "次评价", "ratings"},
	{"n_quarantined", "条隔离", "quarantined"},
}

// pageGroups are words for what the wire carries as codes; a code without a word is shown as it is.
var pageGroups = map[string][][3]string{
	"state": {
		{"SUBMITTED", "已提交", "submitted"}, {"ACCEPTED", "已受理", "accepted"}, {"PRINTING", "打印中", "printing"},
		{"PRINTED", "已打印", "printed"}, {"DELIVERED", "已取走", "delivered"}, {"CLOSED", "已办结", "closed"},
		{"REJECTED", "不予办理", "rejected"}, {"CANCELLED", "已取消", "cancelled"}, {"ABANDONED", "中途离开", "abandoned"},
		{"EXPIRED", "已过期", "expired"}, {"PRINT_FAILED", "打印失败", "print failed"},
		{"PRINT_UNKNOWN", "打印结果不明，待人工核实", "print unknown: a person must look"},
		{"RETAINED", "未取走", "not taken"}, {"MANUAL", "转人工", "with a person"},
		{"SPOILED", "已作废", "spoiled"}, {"REISSUE_DUE", "待补办", "to be issued again"},
		{"AUDIT_WAIT", "待审核", "under review"}, {"APPROVED", "审核通过", "approved"}, {"RESERVED", "耗材已预留", "stock reserved"},
		{"BOUND", "已绑定证卡", "card bound"}, {"ACKED", "已确认", "confirmed"},
		{"BILL_CREATED", "已出缴费单", "billed"}, {"PAY_PENDING", "待缴费", "payment pending"}, {"PAID", "已缴费", "paid"},
		{"PAY_FAILED", "缴费失败", "payment failed"}, {"PAY_UNKNOWN", "缴费结果不明，正在核实", "payment unknown: being asked"},
		{"PAID_LATE", "逾期缴费", "paid late"}, {"PAID_TWICE", "重复缴费", "paid twice"},
		{"REFUND_DUE", "待退款", "refund due"}, {"REFUNDING", "退款中", "refunding"}, {"REFUNDED", "已退款", "refunded"},
		{"REFUND_FAILED", "退款失败", "refund failed"},
	},
	"card": {
		{"waiting", "待审核", "waiting"}, {"approved", "已通过", "approved"}, {"rejected", "未通过", "rejected"}, {"printing", "制证中", "printing"},
		{"issued", "已发证", "issued"}, {"in-doubt", "去向不明", "in doubt"}, {"ended", "已结束", "ended"},
	},
	"bill": {
		{"open", "待缴费", "open"}, {"closing", "关闭中", "closing"}, {"closed", "已关闭", "closed"}, {"paid", "已缴费", "paid"},
		{"disputed", "金额不符", "disputed"}, {"returning", "退款中", "being paid back"}, {"returned", "已退款", "paid back"},
	},
	"way":   {{"code", "短信验证码", "code on the phone"}, {"face", "人脸比对", "face"}, {"fingerprint", "指纹比对", "fingerprint"}, {"staff", "工作人员现场核验", "a member of staff"}},
	"shown": {{"card", "身份证（已读取）", "identity card, read"}, {"voucher", "领取凭证", "voucher"}, {"number", "输入证件号", "typed number"}},
	"proof": {
		{"open", "等待中", "waiting"}, {"confirmed", "已确认", "confirmed"}, {"refused", "未通过", "refused"}, {"cancelled", "已取消", "cancelled"}, {"ended", "无人到场", "nobody came"},
	},
	"document": {
		{"resident", "居民身份证", "resident identity card"}, {"temporary", "临时居民身份证", "temporary identity card"}, {"household", "户口簿", "household register"},
		{"passport", "护照", "passport"}, {"driving", "驾驶证", "driving licence"}, {"social", "社会保障卡", "social security card"}, {"permit", "居住证或通行证", "residence or travel permit"},
	},
	"blank": {{"in-doubt", "去向不明", "in doubt"}, {"retained", "在回收箱中", "in the bin"}},
	"matter": {
		{"amount", "金额不符", "another amount"}, {"refund-refused", "渠道拒绝退款", "refund refused"}, {"unknown", "渠道未答复", "not known"},
		{matterKept, "付清该单的款项，有人提出退回", "it pays the bill; somebody proposed that it goes back"},
		{"contradiction", "渠道前后矛盾", "contradiction"}, {"not-in-statement", "对账单中没有", "not in the statement"},
		{"ebill-refused", "电子票据开具被拒", "e-bill refused"}, {"red-refused", "电子票据冲红被拒", "red e-bill refused"}, {"ebill-late", "电子票据迟迟未开具", "e-bill is late"},
		{"not-in-ebook", "开票方账册中没有此票据", "e-bill is not in its issuer's book"},
	},
	"ticket": {{"waiting", "等候", "waiting"}, {"called", "已叫号", "called"}, {"done", "已办", "done"}, {"absent", "过号", "did not come"}},
	"reason": {
		{"no-voucher", "没有领取凭证", "no application under way"}, {"other-person", "不是本人的领取凭证", "somebody else's voucher"},
		{"voucher-old", "凭证过期或已用", "voucher expired or used"}, {"guardian", "监护关系不明", "not named as guardian"},
		{"valid-card", "临时证仍有效", "card still valid"}, {"excluded", "户籍情况需核对", "registration to be looked at"},
		{"rare-name", "生僻字", "a character that cannot be printed"},
		// What terminals find out by themselves.
		{"card-blank", "空白证编号有问题", "the blank's number"}, {"card-check", "制好的证未通过核验", "printed card failed its check"},
		{"card-contradicts", "身份证信息前后不符", "card contradicts itself"}, {"card-desk", "申请需人工处理", "application for the desk"},
		{"card-doubt", "证件去向待查", "card in doubt"}, {"card-expired", "身份证过期", "card expired"}, {"card-face", "证面内容印不出", "cannot be printed"},
		{"card-forged", "制证许可有问题", "permit not genuine"}, {"card-inside", "证件在机内", "card is inside the machine"}, {"card-issued", "已出证", "card was issued"},
		{"card-kind", "证件种类不支持", "kind of document"}, {"card-no-permit", "没有制证许可", "no permit"}, {"card-rejected", "审核未通过", "application rejected"},
		{"card-unknown", "证件情况待核对", "card unknown"}, {"card-unreadable", "身份证读不出", "card unreadable"}, {"forged", "文件未通过验真", "document not genuine"},
		{"locked", "验证已锁定", "locked after wrong tries"}, {"no-phone", "没有预留手机号", "no registered phone"}, {"no-record", "查无记录", "no record"},
		{"photo", "照片不合格", "photo not good enough"}, {"refused", "平台未受理", "refused by the platform"},
	},
	"verdict": {
		{"open", "待确认", "proposed"}, {"confirmed", "已确认", "confirmed"}, {"refused", "未同意", "refused"}, {"overtaken", "情况已变，未执行", "overtaken, nothing done"},
	},
	"command": {
		{"pause", "暂停服务", "pause"}, {"resume", "恢复服务", "resume"}, {"restart", "重新启动", "restart"}, {"logs", "取日志", "logs"},
		{"rotate-key", "更换密钥", "new key"}, {"resync", "重新对账", "compare again"},
	},
	"standing": {
		{"active", "在用", "in use"}, {"revoked", "已停用", "put out"}, {"reset", "待重新登记", "to be enrolled again"},
	},
	"level": {
		{"5", "非常满意", "very satisfied"}, {"4", "满意", "satisfied"}, {"3", "基本满意", "fairly satisfied"},
		{"2", "不满意", "dissatisfied"}, {"1", "非常不满意", "very dissatisfied"},
	},
	"role": {
		{"id-reader", "身份证阅读器", "ID reader"}, {"receipt-printer", "凭条打印机", "receipt printer"},
		{"document-printer", "文件打印机", "document printer"}, {"camera", "摄像头", "camera"},
		{"code-scanner", "扫码器", "code scanner"}, {"card-printer", "制卡机", "card printer"},
		{"card-dispenser", "发卡机", "card dispenser"}, {"card-check", "证件核验器", "reader of printed cards"}, {"smart-card", "社保卡读卡器", "smart-card reader"}, {"fingerprint", "指纹仪", "fingerprint sensor"},
		{"door", "柜门", "cabinet door"}, {"lights", "指示灯", "lights"}, {"sound", "提示音", "sound"}, {"ups", "不间断电源", "power supply"},
	},
	"unready": {
		{"no-device", "未连接", "not connected"}, {"starting", "启动中", "starting"}, {"other-device", "设备被更换", "another device"},
		{"broken", "故障", "broken"}, {"jammed", "卡纸", "jammed"}, {"cover-open", "盖子打开", "cover open"},
		{"paper-out", "缺纸", "out of paper"}, {"toner-out", "缺粉", "out of toner"}, {"offline", "离线", "off line"},
	},
}

// words is what a code of a group means, in both languages; a code without a word is shown as it is.
func words(group string, code any) string {
	c := fmt.Sprint(code)
	if w, is := wordsOf()[group+" "+c]; is {
		return w
	}
	return c
}

var wordsOf = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	for group, all := range allGroups() {
		for _, t := range all {
			out[group+" "+t[0]] = t[1] + " " + t[2]
		}
	}
	return out
})

// allGroups are the groups with the items' names, which come from their files.
func allGroups() map[string][][3]string {
	groups := maps.Clone(pageGroups)
	groups["item"] = itemNames()
	return groups
}

// pageWords is the page's words as JSON.
func pageWords() string {
	out := map[string]map[string]any{"zh": {}, "en": {}}
	for _, t := range pageTexts {
		out["zh"][t[0]], out["en"][t[0]] = t[1], t[2]
	}
	for name, all := range allGroups() {
		zh, en := map[string]string{}, map[string]string{}
		for _, t := range all {
			zh[t[0]], en[t[0]] = t[1], t[2]
		}
		out["zh"][name], out["en"][name] = zh, en
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// itemNames are the items' names; a file that cannot be read is the engine's tests' affair and leaves its code on the page.
func itemNames() (all [][3]string) {
	files, _ := fs.Glob(assets.FS, "items/*.yaml")
	for _, f := range files {
		b, err := assets.FS.ReadFile(f)
		if err != nil {
			continue
		}
		var item struct {
			Code string            `yaml:"code"`
			Name map[string]string `yaml:"name"`
		}
		if yaml.Unmarshal(b, &item) == nil && item.Code != "" && !strings.ContainsAny(item.Code, "<>") {
			all = append(all, [3]string{item.Code, item.Name["zh"], item.Name["en"]})
		}
	}
	return all
}
