//! The headings of fields, by their names in proto JSON.

use super::Lang;

/// A field's name and its Chinese heading. The English one is the name itself, in words.
const FIELDS: &[(&str, &str)] = &[
    ("acceptedOn", "采纳日"),
    ("acknowledgedOn", "签收日"),
    ("active", "履职期间"),
    ("actor", "操作人"),
    ("adoptedOn", "认定日"),
    ("after", "重建后"),
    ("agencies", "机构"),
    ("agency", "机构"),
    ("agencyFullName", "机构全称"),
    ("alias", "别名"),
    ("aliases", "别名"),
    ("alternatives", "其他可能"),
    ("anomalies", "异常"),
    ("anomaly", "异常"),
    ("assignment", "承办"),
    ("assignments", "承办"),
    ("because", "依据事件"),
    ("before", "重建前"),
    ("body", "正文"),
    ("candidates", "候选"),
    ("causation", "起因"),
    ("cell", "单元格"),
    ("cells", "单元格"),
    ("checkpoint", "检查点"),
    ("clause", "条款"),
    ("clauseId", "条款号"),
    ("clauses", "条款"),
    ("closureRequest", "办结申请"),
    ("completion", "办结结论"),
    ("confidence", "把握"),
    ("contested", "存疑"),
    ("context", "说明"),
    ("coordinator", "汇总单位"),
    ("corrects", "更正"),
    ("correlationId", "关联号"),
    ("creditCode", "统一社会信用代码"),
    ("cursor", "位置"),
    ("cycle", "周期"),
    ("cycles", "周期"),
    ("data", "内容"),
    ("dependents", "所依据的事件"),
    ("description", "说明"),
    ("difficulties", "存在困难"),
    ("divisionCode", "行政区划代码"),
    ("document", "文件"),
    ("documents", "文件"),
    ("draftedOn", "草拟日"),
    ("dueOn", "期限"),
    ("earlier", "前段"),
    ("effectiveOn", "生效日"),
    ("endorsedOn", "审签日"),
    ("epoch", "纪元"),
    ("etag", "版本标记"),
    ("eventTypes", "事件类型"),
    ("events", "事件"),
    ("evidence", "佐证材料"),
    ("field", "字段"),
    ("fields", "字段"),
    ("findings", "退回意见"),
    ("fingerprint", "命令指纹"),
    ("firstLine", "起行"),
    ("firstSubmittedOn", "首次报送日"),
    ("found", "原文"),
    ("from", "起"),
    ("fromSize", "起始大小"),
    ("fullName", "全称"),
    ("fullNames", "历次全称"),
    ("grounds", "退办理由"),
    ("handovers", "密钥交接"),
    ("holdersOn", "责任基准日"),
    ("id", "编号"),
    ("issuedOn", "成文日期"),
    ("issuer", "发文机关"),
    ("items", "报送内容"),
    ("judgement", "办结结论"),
    ("kind", "类别"),
    ("label", "序号"),
    ("lastLine", "止行"),
    ("lastReturn", "最近退回"),
    ("late", "逾期"),
    ("later", "后段"),
    ("leaf", "叶"),
    ("level", "程度"),
    ("line", "行"),
    ("lineCount", "行数"),
    ("log", "日志"),
    ("matchedBy", "匹配"),
    ("mediaType", "类型"),
    ("milestones", "阶段目标"),
    ("missedBy", "漏报认定规则"),
    ("name", "名称"),
    ("nextSteps", "下一步举措"),
    ("nonce", "随机数"),
    ("note", "签名文本"),
    ("number", "发文字号"),
    ("obligation", "应报"),
    ("obligationCount", "应报数"),
    ("obligations", "应报"),
    ("on", "日期"),
    ("origin", "树名"),
    ("outcome", "结果"),
    ("parent", "上级事项"),
    ("path", "证明路径"),
    ("period", "期间"),
    ("position", "序次"),
    ("positions", "依据事件"),
    ("predecessor", "改派自"),
    ("previous", "前一事件"),
    ("progress", "进展情况"),
    ("proof", "证明"),
    ("reading", "认定"),
    ("readings", "认定"),
    ("reason", "理由"),
    ("receivedOn", "签收日"),
    ("recordedAt", "记录时间"),
    ("repealedOn", "废止日"),
    ("report", "报送"),
    ("reports", "报送"),
    ("requestId", "请求号"),
    ("responsibilities", "责任"),
    ("returnReason", "退回理由"),
    ("returnedOn", "退回日"),
    ("role", "角色"),
    ("root", "树根"),
    ("round", "报送次数"),
    ("rowId", "行号"),
    ("rows", "附表"),
    ("rule", "规则"),
    ("schema", "结构"),
    ("selfAssessed", "自评"),
    ("selfAssessment", "自评"),
    ("sha256", "SHA-256"),
    ("size", "字节"),
    ("source", "出处"),
    ("stage", "阶段"),
    ("state", "状态"),
    ("statement", "内容"),
    ("status", "状态"),
    ("struckOffOn", "销号日"),
    ("subject", "对象"),
    ("submittedOn", "报送日"),
    ("successor", "改派至"),
    ("superior", "上级机构"),
    ("supersededBy", "被取代于"),
    ("supersedes", "取代"),
    ("suspendedFrom", "中止前阶段"),
    ("tag", "标签"),
    ("tags", "标签"),
    ("targetId", "目标号"),
    ("targets", "目标"),
    ("task", "事项"),
    ("taskLabel", "序号"),
    ("taskTitle", "事项名称"),
    ("tasks", "事项"),
    ("text", "内容"),
    ("textSha256", "全文 SHA-256"),
    ("title", "标题"),
    ("toSize", "终止大小"),
    ("traceId", "追踪号"),
    ("track", "类型"),
    ("type", "类型"),
    ("until", "止"),
    ("value", "值"),
    ("verified", "核验"),
    ("verifiers", "公钥"),
    ("version", "版本"),
    ("view", "视图"),
    ("waiverReason", "免报理由"),
    ("withdrawalReason", "撤回理由"),
    ("year", "年度"),
];

/// The heading of a field; of a path its last field's.
pub(crate) fn heading(lang: Lang, path: &str) -> String {
    let field = path.rsplit('.').next().unwrap_or(path);
    let zh = FIELDS.iter().find(|(name, _)| *name == field).map(|(_, zh)| (*zh).to_owned());
    match lang {
        Lang::Zh => zh.unwrap_or_else(|| words(field)),
        Lang::En => words(field),
    }
}

/// `dueOn` as `due on`.
fn words(field: &str) -> String {
    let mut said = String::new();
    for letter in field.chars() {
        if letter.is_ascii_uppercase() {
            said.push(' ');
        }
        said.push(letter.to_ascii_lowercase());
    }
    said
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost_reflect::{Kind, MessageDescriptor};

    use super::*;
    use crate::client::schema;

    /// The paging, the receipt and the frame of an answer are said in sentences, not under headings.
    const SAID_OTHERWISE: [&str; 4] = ["nextPageToken", "receipt", "answer", "cloudEvents"];

    fn shown(message: &MessageDescriptor, names: &mut BTreeSet<String>) {
        for field in message.fields() {
            let new = names.insert(field.json_name().to_owned());
            if let Kind::Message(inner) = field.kind()
                && new
                && !SAID_OTHERWISE.contains(&field.json_name())
                && inner.full_name().starts_with("duban.")
            {
                shown(&inner, names);
            }
        }
    }

    #[test]
    fn every_field_that_is_shown_has_its_heading() {
        let mut names = BTreeSet::new();
        for method in schema::pool().services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            if !method.is_server_streaming() {
                shown(&method.output(), &mut names);
            }
        }
        let known: BTreeSet<&str> = FIELDS.iter().map(|(name, _)| *name).chain(SAID_OTHERWISE).collect();
        let missing: Vec<_> = names.iter().filter(|name| !known.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "without a heading: {missing:?}");
    }

    #[test]
    fn a_heading_is_of_the_last_field_of_a_path() {
        assert_eq!(heading(Lang::Zh, "agency.fullName"), "全称");
        assert_eq!(heading(Lang::En, "agency.fullName"), "full name");
    }
}
