//! The values of the wire's enums: the word without its prefix, and the official term.

use super::Lang;

/// An enum: the prefix of its values, and each value with its term.
type Terms = (&'static str, &'static [(&'static str, &'static str)]);

const TERMS: &[Terms] = &[
    ("AGENCY_STATUS_", &[("REGISTERED", "已登记"), ("ACTIVE", "在履职"), ("DISSOLVED", "已撤销")]),
    (
        "AGENCY_KIND_",
        &[
            ("CONSTITUENT_DEPARTMENT", "组成部门"),
            ("DIRECTLY_AFFILIATED", "直属机构"),
            ("DISPATCHED_OFFICE", "派出机构"),
            ("CENTRAL_UNIT", "中央驻青单位"),
            ("STATE_ENTERPRISE", "国有企业"),
            ("COOPERATIVE", "合作经济组织"),
            ("LOCAL_GOVERNMENT", "地方政府"),
        ],
    ),
    ("NAME_OUTCOME_", &[("RESOLVED", "唯一"), ("AMBIGUOUS", "有歧义"), ("UNKNOWN", "未知")]),
    ("NAME_MATCH_", &[("FULL_NAME", "全称"), ("ALIAS", "别名、简称"), ("CREDIT_CODE", "统一社会信用代码")]),
    ("EVENT_FORMAT_", &[("EVENT", "事件"), ("CLOUD_EVENTS_JSON", "CloudEvents")]),
    ("KNOWLEDGE_", &[("KNOWN", "已知"), ("NOTHING_KNOWN", "尚无记录")]),
    (
        "PROGRESS_LEVEL_",
        &[
            ("NO_EVIDENCE", "无佐证"),
            ("NOT_STARTED", "未启动"),
            ("LIMITED", "有限进展"),
            ("SUBSTANTIAL", "实质进展"),
            ("COMPLETE", "全面完成"),
        ],
    ),
    ("CYCLE_STAGE_", &[("OPENING", "开启中"), ("OPEN", "已开启")]),
    ("OBLIGATION_STATE_", &[("OPEN", "待报"), ("MET", "已报"), ("WAIVED", "免报"), ("MISSED", "漏报")]),
    (
        "REPORT_STAGE_",
        &[
            ("DRAFT", "草拟"),
            ("ENDORSED", "审签"),
            ("SUBMITTED", "报送"),
            ("RECEIVED", "签收"),
            ("ACCEPTED", "采纳"),
            ("RETURNED", "退回"),
            ("SUPERSEDED", "已被更正"),
        ],
    ),
    (
        "ASSIGNMENT_ROLE_",
        &[("LEAD", "第一牵头"), ("CO_LEAD", "共同牵头"), ("RESPONSIBLE", "责任"), ("SUPPORTING", "配合")],
    ),
    (
        "ASSIGNMENT_STAGE_",
        &[
            ("DISPATCHED", "交办"),
            ("ACTIVE", "签收"),
            ("CONTESTED", "退办"),
            ("REASSIGNED", "改派"),
            ("RELEASED", "解除"),
        ],
    ),
    (
        "ANOMALY_KIND_",
        &[
            ("REPEATED_SERIAL", "序号重复"),
            ("HEADING_WITH_CONTENT", "章节行夹带内容"),
            ("ROW_ORDER", "行序错乱"),
            ("MISPLACED_CELL", "单元格错位"),
            ("FUSED_CELLS", "单元格粘连"),
            ("REPEATED_HEADER", "表头重复"),
            ("BROKEN_PARAGRAPH", "段落断裂"),
            ("PUNCTUATION", "标点不一"),
            ("LABEL_MISMATCH", "标号不一"),
            ("MISSING_ELEMENT", "要素缺失"),
            ("AMBIGUOUS_WORDING", "用语歧义"),
            ("OTHER", "其他"),
        ],
    ),
    ("CONFIDENCE_", &[("LOW", "低"), ("MEDIUM", "中"), ("HIGH", "高")]),
    ("READING_STATE_", &[("ADOPTED", "有效"), ("SUPERSEDED", "已被取代"), ("WITHDRAWN", "已撤回")]),
    (
        "TASK_STAGE_",
        &[
            ("PROPOSED", "拟办"),
            ("REGISTERED", "立项"),
            ("DISPATCHED", "交办"),
            ("IN_PROGRESS", "推进中"),
            ("CLOSURE_REQUESTED", "申请办结"),
            ("COMPLETED", "办结"),
            ("STRUCK_OFF", "销号"),
            ("ARCHIVED", "归档"),
            ("SUSPENDED", "中止"),
            ("WITHDRAWN", "撤销"),
        ],
    ),
    (
        "TASK_TRACK_",
        &[
            ("GENERAL", "一般事项"),
            ("COMPLEX", "复杂事项"),
            ("ANNUAL", "年度事项"),
            ("CONTINUING", "持续推进"),
        ],
    ),
];

/// An enum value by its full name as it is shown: the word in English, the official term in Chinese.
pub(crate) fn term(lang: Lang, full: &str) -> Option<&'static str> {
    let (word, zh) = find(full)?;
    Some(match lang {
        Lang::Zh => zh,
        Lang::En => word,
    })
}

/// An enum value by its full name, without its prefix: what filters compare.
pub(crate) fn word(full: &str) -> Option<&'static str> {
    find(full).map(|(word, _)| word)
}

/// Whether it is an enum value that says nothing.
pub(crate) fn is_unspecified(full: &str) -> bool {
    TERMS.iter().any(|(prefix, _)| full.strip_prefix(prefix) == Some("UNSPECIFIED"))
}

fn find(full: &str) -> Option<(&'static str, &'static str)> {
    let values = TERMS.iter().filter_map(|(prefix, values)| Some((full.strip_prefix(prefix)?, values)));
    values.flat_map(|(rest, values)| values.iter().filter(move |(word, _)| *word == rest)).copied().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::schema;

    #[test]
    fn every_value_of_the_wire_has_its_term() {
        let enums = schema::pool().all_enums().filter(|found| found.full_name().starts_with("duban."));
        for value in enums.flat_map(|found| found.values().collect::<Vec<_>>()) {
            let known = value.number() == 0 || term(Lang::Zh, value.name()).is_some();
            assert!(known, "{} has no term", value.full_name());
        }
    }

    #[test]
    fn a_value_is_its_word_or_its_term() {
        assert_eq!(term(Lang::Zh, "TASK_STAGE_IN_PROGRESS"), Some("推进中"));
        assert_eq!(term(Lang::En, "TASK_STAGE_IN_PROGRESS"), Some("IN_PROGRESS"));
        assert_eq!(term(Lang::Zh, "TASK_STAGE_UNSPECIFIED"), None);
    }
}
