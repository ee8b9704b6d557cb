//! What to do about an error: by its reason, else by its code.

use tonic::Code;

use super::Text;

/// A reason, what to do in Chinese, and in English.
type Hint = (&'static str, &'static str, &'static str);

const HINTS: &[Hint] = &[
    (
        "IDENTITY_MISSING",
        "用 --as、--actor 说明身份；汇总单位和承办单位还要 --agency",
        "say who you are with --as and --actor; coordinators and agencies also with --agency",
    ),
    ("IDENTITY_INVALID", "检查 --as、--actor、--agency", "check --as, --actor and --agency"),
    ("ROLE_NOT_ALLOWED", "换用有权的角色：--as", "ask in a role that may: --as"),
    (
        "NOT_YOURS",
        "以负责的机构办理：--as agency --agency ID",
        "act for the agency that it belongs to: --as agency --agency ID",
    ),
    ("INVALID_FIELD", "改正所列字段后重发", "mend the fields named above and send it again"),
    ("REASON_REQUIRED", "用 --reason 说明理由", "say why with --reason"),
    ("MASK_INVALID", "至少给出一个要修改的字段", "give at least one field to change"),
    (
        "FILTER_INVALID",
        "改正 --filter，例如：stage = DISPATCHED AND track != ANNUAL",
        "mend --filter, say: stage = DISPATCHED AND track != ANNUAL",
    ),
    ("PAGE_TOKEN_INVALID", "从第一页重新列出", "list again from the first page"),
    (
        "REQUEST_ID_REUSED",
        "此请求号已用于另一命令：换一个，或不写 --request-id",
        "that request id was another command's: leave --request-id out",
    ),
    ("REQUEST_TOO_OLD", "去掉 --request-id 重发", "send it again without --request-id"),
    ("DOCUMENT_NOT_FOUND", "用 duban document list 查看文件", "see the documents: duban document list"),
    ("CLAUSE_NOT_FOUND", "用 duban document show 查看条款", "see its clauses: duban document show"),
    (
        "ANOMALY_NOT_FOUND",
        "用 duban document anomalies 查看异常，或先登记",
        "see the anomalies: duban document anomalies, or record it first",
    ),
    ("READING_NOT_FOUND", "用 duban document readings 查看认定", "see the readings: duban document readings"),
    (
        "AGENCY_NOT_FOUND",
        "用 duban agency list 或 duban agency resolve 查找机构",
        "find it: duban agency list, or duban agency resolve NAME",
    ),
    ("ALIAS_NOT_FOUND", "用 duban agency show 查看别名", "see its aliases: duban agency show"),
    ("TASK_NOT_FOUND", "用 duban task list 查看事项", "see the tasks: duban task list"),
    (
        "ASSIGNMENT_NOT_FOUND",
        "用 duban assignment list TASK 查看承办",
        "see the assignments: duban assignment list TASK",
    ),
    (
        "CYCLE_NOT_FOUND",
        "用 duban cycle list 查看周期，或先开启",
        "see the cycles: duban cycle list, or open it first",
    ),
    (
        "OBLIGATION_NOT_FOUND",
        "用 duban cycle obligations YEAR 查看应报；周期开启中时稍后再试",
        "see who owes a report: duban cycle obligations YEAR; while the cycle is opening, ask again",
    ),
    ("REPORT_NOT_FOUND", "用 duban report list 查看报送", "see the reports: duban report list"),
    ("EVENT_TYPE_NOT_FOUND", "用 duban event types 查看事件类型", "see the types: duban event types"),
    (
        "DOCUMENT_EXISTS",
        "编号已被占用：换一个，或查看已有文件",
        "the id is taken: choose another, or look at what is there",
    ),
    ("ANOMALY_EXISTS", "编号已被占用：换一个 --id", "the id is taken: choose another --id"),
    ("READING_EXISTS", "编号已被占用：换一个 --id", "the id is taken: choose another --id"),
    (
        "AGENCY_EXISTS",
        "编号已被占用：看是否已经登记（duban agency show）",
        "the id is taken: look whether it is registered already (duban agency show)",
    ),
    (
        "NAME_TAKEN",
        "名称已被占用：用 duban agency resolve 查看是谁",
        "see whose name it is: duban agency resolve NAME",
    ),
    (
        "CREDIT_CODE_TAKEN",
        "代码已被占用：用 duban agency resolve 查看是谁",
        "see whose code it is: duban agency resolve CODE",
    ),
    ("TASK_EXISTS", "编号已被占用：换一个 --id", "the id is taken: choose another --id"),
    ("ASSIGNMENT_EXISTS", "编号已被占用：换一个 --id", "the id is taken: choose another --id"),
    (
        "CYCLE_EXISTS",
        "该年度周期已开启：duban cycle show YEAR",
        "that year's cycle is open already: duban cycle show YEAR",
    ),
    ("REPORT_EXISTS", "编号已被占用：换一个 --id", "the id is taken: choose another --id"),
    (
        "ETAG_MISMATCH",
        "对象已有变化：重新查看后再定",
        "it has changed since you looked: look again and decide again",
    ),
    ("CONFLICT", "有人同时在改：重发一次", "others were changing it: send it again"),
    (
        "DOCUMENT_REPEALED",
        "文件已废止：换一个现行文件",
        "the document is repealed: name one that is in force",
    ),
    (
        "DOCUMENT_IDENTIFIED",
        "文件已有字号或日期：duban document show",
        "it has its number or date: duban document show",
    ),
    (
        "READING_NOT_IN_FORCE",
        "换用有效的认定：duban document readings",
        "rest on a reading that stands: duban document readings",
    ),
    (
        "AGENCY_NOT_ACTIVE",
        "换一个机构或日期；用 duban agency show 查看履职期间",
        "choose another agency or day; duban agency show has the days on which it is active",
    ),
    (
        "AGENCY_HAS_DUTIES",
        "先改派或解除它的承办：duban what AGENCY",
        "reassign or release what it answers for first: duban what AGENCY",
    ),
    (
        "ALIAS_OVERLAP",
        "该别名在这些日期已登记：duban agency show",
        "it has that alias on some of these days: duban agency show",
    ),
    ("HIERARCHY_CYCLE", "换一个上级", "choose another superior"),
    ("HIERARCHY_TOO_DEEP", "层级过多：换一个上级", "there are too many levels: choose a higher superior"),
    (
        "TASK_STAGE",
        "先看事项所处阶段：duban task show TASK",
        "see at which stage the task is: duban task show TASK",
    ),
    (
        "ASSIGNMENT_STAGE",
        "先看承办所处阶段：duban assignment show TASK/ASSIGNMENT",
        "see at which stage it is: duban assignment show TASK/ASSIGNMENT",
    ),
    (
        "LEAD_TAKEN",
        "先改派或解除现有的第一牵头：duban who TASK",
        "reassign or release the present lead first: duban who TASK",
    ),
    (
        "AGENCY_ALREADY_ASSIGNED",
        "该机构这些日期已承办此事项：duban who TASK",
        "the agency has a role on it on these days: duban who TASK",
    ),
    (
        "OUTSIDE_PERIOD",
        "用 --effective-on 选期间之内的日期：duban assignment show",
        "choose an --effective-on inside its period: duban assignment show",
    ),
    (
        "BOUNDARY_MISMATCH",
        "两段期间须首尾相接：duban assignment list TASK",
        "the periods must meet: duban assignment list TASK",
    ),
    (
        "STEP_BEFORE_LAST",
        "用 --effective-on 选不早于上一步的日期",
        "choose an --effective-on that is not before the step before",
    ),
    (
        "STEP_IN_FUTURE",
        "用 --effective-on 选不晚于今天的日期",
        "choose an --effective-on that is not after today",
    ),
    (
        "SEPARATION_OF_DUTY",
        "须由另一人、另一机构办理：--actor",
        "another person, of no agency involved, must do it: --actor",
    ),
    ("DUE_IN_PAST", "用 --due-on 选以后的日期", "choose a later --due-on"),
    (
        "HOLDERS_IN_FUTURE",
        "用 --holders-on 选不晚于今天的日期",
        "choose a --holders-on that is not after today",
    ),
    (
        "OBLIGATION_STAGE",
        "先看应报状态：duban cycle obligation YEAR/AGENCY",
        "see where it stands: duban cycle obligation YEAR/AGENCY",
    ),
    (
        "REPORT_STAGE",
        "先看报送所处阶段：duban report show REPORT",
        "see at which stage it is: duban report show REPORT",
    ),
    (
        "REPORT_INCOMPLETE",
        "用 duban report revise 补齐所列事项",
        "fill in the tasks named above: duban report revise",
    ),
    (
        "KEY_IS_LAST",
        "先启用接替的密钥：duban key announce",
        "announce the key that follows it first: duban key announce",
    ),
    ("PLAN_OUTDATED", "重新安排", "plan again"),
    ("TOO_LARGE", "内容太多：分开办理", "that is too much at once: say less"),
    ("MESSAGE_TOO_LARGE", "内容太多：分开办理", "that is too much at once: send less"),
    (
        "POSITION_BEYOND_HEAD",
        "日志还没有到那里：duban event head",
        "the log is not that long: duban event head",
    ),
    (
        "TREE_NOT_FOUND",
        "该服务不保存此存证树：不加 --origin，或改问 duban serve --tree 的服务",
        "no such tree is kept there: leave --origin out, or ask a server that has one (duban serve --tree)",
    ),
    ("CHECKPOINT_BEHIND", "检查点尚未跟上，稍后再试", "no checkpoint covers it yet: try again in a moment"),
    (
        "TREE_DAMAGED",
        "存证树已损坏：报告运维人员，用 duban verify 核验",
        "the audit tree is damaged: tell the operator, and see what duban verify says",
    ),
    (
        "OTHER_LOG",
        "位置属于另一份日志或另一纪元：从头开始",
        "the position is of another log or epoch: start over",
    ),
    (
        "LOG_SEALED",
        "日志已封存并迁往别处：向新址办理",
        "the log was sealed and moved: ask the operator for its new home",
    ),
    (
        "EPOCH_NOT_FOUND",
        "日志仍在初始纪元，或名称有误",
        "the log is in its first epoch, or the name is another's",
    ),
    (
        "VIEW_STOPPED",
        "视图已停：请运维人员处理（duban rebuild）",
        "the view has stopped: tell the operator (duban rebuild)",
    ),
    (
        "VIEW_BEHIND",
        "视图落后：稍后再试，或加 --minimize-latency",
        "the view lags: ask again, or with --minimize-latency",
    ),
    (
        "SERVICE_NOT_FOUND",
        "该地址没有运行此服务：检查 --server",
        "that service doesn't run there: check --server",
    ),
    ("POSITION_GAP", "日志有缺失：立即告知运维人员", "the log lacks an event: tell the operator at once"),
];

/// What to do about an error.
pub(crate) fn hint(reason: Option<&str>, code: Code) -> Option<Text> {
    let known = reason.and_then(|reason| HINTS.iter().find(|(known, _, _)| *known == reason));
    if let Some((_, zh, en)) = known {
        return Some(Text { zh, en });
    }
    let (zh, en) = match code {
        Code::InvalidArgument => ("改正后重发", "mend it and send it again"),
        Code::NotFound => ("检查名称", "check the name"),
        Code::PermissionDenied | Code::Unauthenticated => {
            ("换用有权的身份：--as、--actor、--agency", "ask as someone who may: --as, --actor, --agency")
        }
        Code::Unavailable if reason.is_none() => (
            "检查 --server，以及服务是否在运行（duban serve）",
            "check --server, and whether the services run (duban serve)",
        ),
        Code::Unavailable | Code::Aborted | Code::ResourceExhausted => {
            ("稍后用同一请求号重发", "send it again later with the same request id")
        }
        Code::DeadlineExceeded | Code::Cancelled => (
            "不知是否已办：用同一请求号重发",
            "it may have been done: send it again with the same request id",
        ),
        Code::DataLoss => ("日志已损坏：立即告知运维人员", "the log is damaged: tell the operator at once"),
        Code::Internal | Code::Unknown => (
            "服务器出错：把请求号告知运维人员",
            "the server made a mistake: tell the operator the request id",
        ),
        Code::Unimplemented => {
            ("服务器版本不同：检查 --server", "the server is of another version: check --server")
        }
        Code::Ok | Code::AlreadyExists | Code::FailedPrecondition | Code::OutOfRange => return None,
    };
    Some(Text { zh, en })
}

#[cfg(test)]
mod tests {
    use duban_domain::Reason;

    use super::*;

    #[test]
    fn every_reason_of_the_rules_has_its_next_step() {
        for reason in Reason::ALL {
            assert!(
                HINTS.iter().any(|(known, _, _)| *known == reason.as_str()),
                "{reason:?} has no next step"
            );
        }
    }

    #[test]
    fn an_unknown_reason_falls_back_to_its_code() {
        assert!(
            hint(Some("SOMETHING_NEW"), Code::Unavailable).is_some_and(|text| text.en.contains("request id"))
        );
        assert!(hint(None, Code::Unavailable).is_some_and(|text| text.en.contains("duban serve")));
        assert!(hint(Some("SOMETHING_NEW"), Code::FailedPrecondition).is_none());
    }
}
