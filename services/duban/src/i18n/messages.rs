//! What the program itself says.

use super::Text;

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident: $zh:literal, $en:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: Text = Text { zh: $zh, en: $en };)*

        #[cfg(test)]
        pub(super) const ALL: &[Text] = &[$($name),*];
    };
}

messages! {
    ERROR: "错误：{}", "error: {}";
    ERROR_WITH_REASON: "错误 {}：{}", "error {}: {}";
    FIELD: "字段 {}：{}", "field {}: {}";
    ABOUT: "对象：{}", "about: {}";
    FACT: "{}：{}", "{}: {}";
    REQUEST_ID: "请求号：{}", "request id: {}";
    NEXT: "下一步：{}", "next: {}";

    YES: "是", "yes";
    NOTHING: "（无）", "(none)";
    TEXT_OF: "（共{}行；用 -o json 查看全文）", "({} lines; -o json shows them)";

    RECORDED: "已记录：第{}至{}号事件，{}", "recorded: events {} to {}, {}";
    RECORDED_ONE: "已记录：第{}号事件，{}", "recorded: event {}, {}";
    UNCHANGED: "没有变化，未写入；截至第{}号事件", "nothing changed, nothing written; as of position {}";
    TRIED: "试算：未写入", "validated only: nothing written";
    ANSWERED: "生效日 {}，据第{}号事件为止所知（{}）", "valid on {}, as known at position {} ({})";
    NOTHING_KNOWN: "截至第{}号事件，系统尚无任何记录：空的结果不说明任何事实",
        "nothing was known at position {}: an empty answer says nothing about the world";
    FOLLOWED_TO: "最后一条是第{}号事件：用 --after {} 接着看", "the last event shown was {}: go on with --after {}";

    SEED_WRONG: "种子文件有{}处错误，什么也没有写入：", "the seed has {} mistakes, nothing was written:";
    SEED_WRONG_ONE: "种子文件有1处错误，什么也没有写入：", "the seed has a mistake, nothing was written:";
    SEED_MORE: "……另有{}处", "... and {} more";
    REHEARSAL_REFUSED: "{}：试演被拒绝，正式日志未动", "{}: refused in the rehearsal, the real log is as it was";
    PLAY_REFUSED: "{}：被拒绝；此前的命令已经记录，改正后可再次导入",
        "{}: refused; the commands before it are recorded, import again once it is mended";
    REHEARSING: "试演", "rehearsing";
    SENDING: "导入", "importing";
    EVENTS_PROPOSED: "拟记录的事件", "Proposed events";
    ANOMALIES: "异常", "Anomalies";
    DRY_RUN: "试演完毕：{}条命令，{}个事件，{}处异常；正式日志未动",
        "rehearsed {} commands: {} events, {} anomalies; the real log is as it was";
    /// What to try, once the demo is there.
    DEMO: "督办服务在 http://{} 。可以试试（另开一个终端）：\n  cargo run --release -- who qh-green-21{}\n  cargo run --release -- matrix --lang zh{}\n  cargo run --release -- event follow --after 0{}",
        "duban listens on http://{}. Three things to try, in another terminal:\n  cargo run --release -- who qh-green-21{}\n  cargo run --release -- matrix --lang zh{}\n  cargo run --release -- event follow --after 0{}";
    EXPORTING_EVENTS: "导出事件", "exporting events";
    EXPORTING_RECEIPTS: "导出回执", "exporting receipts";
    EXPORTED: "已导出日志 {}（纪元 {}）：{}个事件、{}份回执，存于 {}",
        "exported log {} in epoch {}: {} events, {} receipts, to {}";
    EXPORTED_SEALED: "原日志已封存，不再记录；请在一处、且只在一处载入",
        "the log has ended here: load the export in one place, and in no other";
    EXPORTED_COPY: "原日志照常记录；载入之处另起新纪元",
        "the log goes on here: where the export is loaded, a new epoch begins";
    LOADING_EVENTS: "载入事件", "loading events";
    LOADING_RECEIPTS: "载入回执", "loading receipts";
    LOADED_KEPT: "已载入日志 {}：至第{}号事件、{}份回执；沿用纪元 {}，原有位置继续有效",
        "loaded log {} up to position {}, {} receipts; it goes on in epoch {}, and cursors of it are good";
    LOADED_EPOCH: "已载入日志 {}：至第{}号事件、{}份回执；另起新纪元 {}，原有位置不再有效",
        "loaded log {} up to position {}, {} receipts; a new epoch {} has begun, and older cursors are refused";
    BACKED_UP: "已备份日志 {}：至第{}号事件，存于 {}", "backed up log {} up to position {}, to {}";
    RESTORED: "已恢复日志 {}；新纪元 {} 自第{}号事件开始，原有位置不再有效",
        "restored log {}; a new epoch {} has begun with event {}, and older cursors are refused";
    TREE_EXPORTED: "已导出存证树 {}：{}个事件，存于 {}", "exported the tree {} of size {} to {}";
    PROVEN_EVENT: "第{}号事件在大小为{}的树 {} 之内：\n{}", "event {} is in the tree of size {} of {}:\n{}";
    PROOF_OF_GROWTH: "大小为{}的树以大小为{}的树开头的一致性证明（树 {}，{}个散列）：用 -o json 取出，以 duban verify 对照留存的检查点",
        "the proof that the tree of size {} begins with the one of {}, of {}, has {} hashes: -o json shows them, duban verify compares with a checkpoint that was kept";
    PROVEN_HISTORY: "共{}个事件，均在大小为{}的树 {} 之内，其间无遗漏",
        "{} events, all of them in the tree of size {} of {}, and nothing is left out between them";
    EVIDENCE: "佐证包含{}个事件，均在大小为{}的检查点之内，存于 {}",
        "the evidence has {} events, all of them in the checkpoint of size {}, in {}";
    EVIDENCE_KEY: "验证公钥由服务器自报，请从另一渠道核对：{}",
        "the key is the one that the server names, compare it with what you were given: {}";
    WITNESS_LISTENS: "见证服务在 http://{} ，公钥：{}", "the witness listens on http://{}, its key is {}";
    WITNESS_REQUESTED: "见证请求已存于 {}：请送交见证人（duban witness sign）",
        "the request is in {}: carry it to the witness (duban witness sign)";
    WITNESS_SIGNED: "已为 {} 作见证，存于 {}：请送回（duban witness accept）",
        "cosigned for {}, in {}: carry it back (duban witness accept)";
    WITNESS_ACCEPTED: "大小为{}的检查点已附上见证签名", "the published checkpoint of size {} has the cosignature now";
    WITNESS_KEPT: "大小为{}的检查点的见证签名已存于其旁；若树未增长，下次发布时附上",
        "the cosignature of the checkpoint of size {} is kept beside it, and goes into it when that is next published unless the tree has grown";
    VERIFYING_EVENTS: "核验事件", "verifying events";
    VERIFYING_RECEIPTS: "核验回执", "verifying receipts";
    VERIFYING_VIEWS: "重放视图", "replaying views";
    UNVERIFIED: "核验未通过：{}", "verification failed: {}";
    QUORUM: "--quorum：所需见证人多于所列见证人", "--quorum: more witnesses are asked for than are named";
    REPORT_TITLE: "核验报告（督办 {}）", "Verification report (duban {})";
    REPORT_LOG: "日志 {}，纪元 {}", "log {} in epoch {}";
    REPORT_SOURCE: "来源：{}", "read from {}";
    REPORT_TIMES: "起止：{} 至 {}", "from {} to {}";
    REPORT_EVENTS: "事件：读得{}个，应有{}个，标签{}个", "events: {} read of {}, filed under {} tags";
    REPORT_RECEIPTS: "有事件的命令{}条，回执{}份", "commands with events: {}; receipts: {}";
    REPORT_ROOT: "{}个事件的树根：{}（{}）", "root over {} events: {} ({})";
    REPORT_NO_ROOT: "事件有缺，没有树根", "there is no root over all events: some are missing or no leaves";
    REPORT_CHECKPOINT: "检查点 {}，大小{}：{}", "checkpoint {} of size {}: {}";
    REPORT_SIGNED: "  树根 {}，{}，签名：{}", "  root {}, {}, signed by {}";
    REPORT_WITNESSES: "  见证：{}", "  cosigned by {}";
    REPORT_TREE: "审计树 {}：{}片叶，比对{}片", "tree in {}: {} leaves, {} of them compared";
    REPORT_VIEW_SAME: "视图 {}（截至第{}号）：与重放一致，{}", "view {} at {}: as replayed, {}";
    REPORT_VIEW_OTHER: "视图 {}（截至第{}号）：与重放不符，{}", "view {} at {}: NOT as replayed, {}";
    REPORT_VIEW_UNKNOWN: "视图 {}（截至第{}号）：未能重放，{}", "view {} at {}: not replayed, {}";
    REPORT_UNCOVERED: "未涵盖：{}", "not covered: {}";
    REPORT_FINDING: "问题：{}", "WRONG: {}";
    REPORT_FURTHER: "另有{}处问题", "and {} more findings";
    REPORT_SOUND: "结论：未发现问题", "verdict: nothing is wrong";
    REPORT_UNSOUND: "结论：核验未通过", "verdict: verification failed";
    OUTCOME_SAME: "与日志一致", "the log comes to its root";
    OUTCOME_OTHER: "与日志不符", "the log comes to ANOTHER root";
    OUTCOME_BEYOND: "超出日志末尾", "the log ends BEFORE it";
    OUTCOME_GOES_ON: "承接此导出：其树以此为前段", "goes on from the export, whose tree is its beginning";
    OUTCOME_UNKNOWN: "日志有缺，无从比对", "can't be compared: events are missing";
    OUTCOME_REFUSED: "不可信", "NOT to be believed";
    OUTCOME_OTHER_TREE: "属于另一棵树", "of another tree";
    WATCHED_FIRST: "{}：自检查点 {} 开始监看", "{}: watched from the checkpoint of size {} on";
    WATCHED_SAME: "{}：检查点仍为 {}", "{}: the checkpoint still is of size {}";
    WATCHED_GROWN: "{}：检查点 {} 承接 {}，新叶{}片已核对", "{}: the checkpoint of size {} continues the one of {}, {} new leaves checked";
    WATCH_BROKEN: "{} 前后不一：{}", "{} contradicts itself: {}";
    IMPORTED: "已导入 {}：{}条命令，新记录{}条，早已记录{}条",
        "imported {}: {} commands, {} recorded now, {} there already";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_as_much() {
        for text in ALL {
            assert_eq!(text.zh.matches("{}").count(), text.en.matches("{}").count(), "{}", text.en);
        }
    }
}
