//! What a verification found and what it says nothing about, in both languages. English is the finding's own.

use duban_tree::verification::{Fault, Finding, Uncovered};

use super::Lang;

/// A finding as a sentence.
pub(crate) fn finding(finding: &Finding, lang: Lang) -> String {
    if lang == Lang::En {
        return finding.to_string();
    }
    let said = fault(&finding.fault);
    finding.position.map_or_else(|| said.clone(), |position| format!("第{position}号：{said}"))
}

fn fault(fault: &Fault) -> String {
    match fault {
        Fault::Missing { to } => format!("事件缺失，缺至第{to}号"),
        Fault::Unreadable { what } => format!("无法读取：{what}"),
        Fault::Misplaced { expected } => format!("此处应为第{expected}号事件"),
        Fault::Time { says, before } => format!("记录时间 {says} 早于前一事件（{before}）"),
        Fault::Envelope { what } => format!("信封不合日志所写的格式：{what}"),
        Fault::Previous { tag, says, is } => format!("标签 {tag} 的前一位置写作{says}，实为{is}"),
        Fault::Epoch { says, is } => format!("日志自称处于纪元 {says}，而其事件最后开启的是 {is}"),
        Fault::Seal { says, is } => format!("日志自称封存于第{says}号，而其末尾为第{is}号"),
        Fault::Index => "标签索引与事件所载的标签不符：按标签读取会有遗漏或多出".to_owned(),
        Fault::Body { what } => format!("正文有误：{what}"),
        Fault::Changed { fields } if fields[..] == ["body"] => "正文与所承诺的不符".to_owned(),
        Fault::Changed { fields } => format!("与审计树中的事件不符：{}", fields.join("、")),
        Fault::Entry { fields } => {
            format!("审计树中的副本被改动（{}），事件本身与所签名的一致", fields.join("、"))
        }
        Fault::NoLeaf => "审计树中此处并非任何事件的叶".to_owned(),
        Fault::Tile { path, what } => format!("审计树的文件 {path} 有误：{what}"),
        Fault::Root { checkpoint, size, signed, found, same_until } => format!(
            "{checkpoint} 所签的{size}个事件的树根为 {signed}，而日志所得为 {found}；第{same_until}号之后有改动"
        ),
        Fault::End { claim, claimed, found } => {
            format!("日志的末尾缺失：{claim} 有{claimed}个事件，日志只有{found}个")
        }
        Fault::Checkpoint { checkpoint, what } => format!("检查点 {checkpoint} 不可信：{what}"),
        Fault::NoReceipt { principal, request_id } => format!("缺少 {principal} 的请求 {request_id} 的回执"),
        Fault::Receipt { principal, request_id, fields } => {
            format!("{principal} 的请求 {request_id} 的回执与事件不符：{}", fields.join("、"))
        }
        Fault::Receipts { claimed, found } => format!("应有回执{claimed}份，实有{found}份"),
        Fault::View { view, claimed, replayed } => {
            format!("视图 {view} 声称为 {claimed}，重放所得为 {replayed}")
        }
        Fault::Refused { view, what } => format!("视图 {view} 不能接受此事件：{what}"),
    }
}

/// What a verification says nothing about, as a sentence.
pub(crate) fn uncovered(uncovered: &Uncovered, lang: Lang) -> String {
    let (zh, en) = match uncovered {
        Uncovered::NothingSigned => (
            "没有比对任何签名：能改写日志的人可以把全部历史重写".to_owned(),
            "NOTHING SIGNED was compared: whoever can write the log could have written all of it anew".to_owned(),
        ),
        Uncovered::KeysUntold => (
            "所用公钥取自审计树的文件夹，不足以防备能写该文件夹的人：请用 --key 指定另行取得的公钥".to_owned(),
            "the keys were taken from beside the tree, which proves nothing against whoever can write there: \
             name the key that you were given with --key"
                .to_owned(),
        ),
        Uncovered::NoOtherSide => (
            "没有见证人的联署，也没有自己留存的检查点：运行者仍可能向他人出示另一份历史".to_owned(),
            "no witness has cosigned and no checkpoint was kept: the operator could show others another history"
                .to_owned(),
        ),
        Uncovered::Unsigned { from, to } => {
            (format!("第{from}至{to}号事件尚无签名"), format!("events {from} to {to} are not signed yet"))
        }
        Uncovered::Later { ends, tree } => (
            format!("导出止于第{ends}号，审计树续至第{tree}号：其后的事件不在此次核对之内；被截短的导出与较早的导出无从区分"),
            format!(
                "the export ends at {ends}, the tree goes on to {tree}: what came after is not covered, and an export \
                 that was cut looks like an older one"
            ),
        ),
        Uncovered::Sealed { at } => (
            format!("日志自称封存于第{at}号：没有事件记载封存，任何签名都不能印证"),
            format!("the log says that it was sealed at {at}: no event tells of that, so nothing signed does"),
        ),
        Uncovered::NoTree => (
            "没有比对审计树的文件夹：若有改动，只能指出前后的大小".to_owned(),
            "no folder of the tree was compared: of a change only the sizes around it can be told".to_owned(),
        ),
        Uncovered::EmptyReceipts { receipts } => (
            format!("{receipts}份回执属于没有引起变化的命令，没有事件可以印证"),
            format!("{receipts} receipts are of commands that changed nothing: no event speaks of them"),
        ),
        Uncovered::Fingerprints { commands } => (
            format!("{commands}条命令记录时尚未保存指纹，其内容无从比对"),
            format!("{commands} commands were recorded before fingerprints were kept: what they asked can't be compared"),
        ),
        Uncovered::ViewsNotReplayed => {
            ("没有重放视图".to_owned(), "the views were not replayed".to_owned())
        }
        Uncovered::NoViews => (
            "没有可以比对的视图摘要".to_owned(),
            "nothing is claimed about the views".to_owned(),
        ),
        Uncovered::Views { views } => (
            format!("这些视图未能重放至所声称的位置：{}", views.join("、")),
            format!("these views could not be replayed up to what is claimed: {}", views.join(", ")),
        ),
        Uncovered::UnknownTypes { events } => (
            format!("{events}个事件的类型为本版本所不知：只核对了散列，没有解读正文"),
            format!("{events} events are of types that this version doesn't know: hashed, but not read"),
        ),
        Uncovered::OtherTree { checkpoints } => (
            format!("这些检查点属于另一种算法的树：{}", checkpoints.join("、")),
            format!("these checkpoints are of a tree of another algorithm: {}", checkpoints.join(", ")),
        ),
    };
    if lang == Lang::Zh { zh } else { en }
}
