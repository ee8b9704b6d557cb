//! What can be typed, and that there is a command for every RPC.

use std::collections::BTreeSet;
use std::path::Path;

use clap::{CommandFactory as _, Parser as _};
use duban_log::Location;

use super::*;
use crate::client::schema;

/// The RPCs without a command of their own: documents come in by import, and the log's streams are built where
/// their cursor is known.
const WITHOUT: [&str; 1] = ["RegisterDocument"];

/// One line for every command; the RPC that it calls is found in it.
const TYPED: &str = "
    task list --filter stage=DISPATCHED --limit 3 --on 2023-09-01 --known-at 2023-10-01
    task show t1 --at-position 9 --minimize-latency
    task propose 标题 --id t1 --label (八) --document d1 --clause d1/c1 --track continuing --parent t0 --milestone 2025=成效
    task register t1 --reason 准予 --basis d1/c1 --basis-number 国发1号 --reading d1/r1 --effective-on 2022-01-01
    task dispatch t1 --assign a1=lead --assign agencies/a2=co-lead=x2
    task progress tasks/t1 --level 实质进展 --text 已办
    task verify t1 --level LIMITED --text 查实
    task request-closure t1 --statement 已办
    task return t1 --reason 重办
    task complete t1 --judgement 办结
    task strike-off t1
    task archive t1
    task suspend t1 --reason 中止
    task resume t1
    task withdraw t1 --reason 撤销
    task reopen t1 --reason 再办
    assignment list
    assignment show t1/x1
    assignment assign t1 a1 --role supporting --id x1 --until 2030-01-01
    assignment acknowledge t1/x1 --request-id 0198c0de-0000-4000-8000-000000000001
    assignment contest t1/x1 --grounds 非我
    assignment uphold t1/x1 --reason 维持
    assignment reassign t1/x1 a2 --role lead --id x2 --reason 改派
    assignment release t1/x1 --reason 解除
    assignment reinterpret t1/x1 --role responsible --reason 认定
    assignment correct-boundary 2023-01-01 --earlier t1/x1 --later t1/x2 --reason 更正
    agency list
    agency show a1
    agency register 青海省能源局 --id a1 --kind directly-affiliated --division-code 630000 --superior a0 --alias 省能源局
    agency rename a1 新名
    agency alias add a1 别名
    agency alias end a1 别名
    agency amend a1 --kind central-unit --no-superior --division-code 630000
    agency dissolve a1 --reason 撤销
    agency resolve 省能源局 --on 2023-09-01
    document list
    document show d1
    document readings d1 --filter state=ADOPTED
    document anomalies d1
    document dependents d1/r1
    document identify d1 --number 青政1号 --issued-on 2021-12-01
    document repeal d1 --reason 废止
    document record-anomaly d1 --kind other --first-line 1 --last-line 2 --description 损
    document adopt d1 --anomaly d1/n1 --statement 认定 --confidence low --first-line 1 --last-line 2 --supersedes d1/r0 --reason 因
    document withdraw d1/r1 --reason 撤回
    report list
    report show r1
    report draft 2026 --id r1 --item t1=limited=进展
    report revise r1 --item t1=complete=进展
    report endorse r1
    report submit r1
    report receive r1
    report accept r1
    report return r1 --finding t1=缺佐证 --finding 未签 --reason 退回
    report correct r1 --id r2 --reason 更正
    cycle list
    cycle show 2026
    cycle open 2026 --due-on 2026-12-31 --holders-on 2026-01-01 --rule every-lead
    cycle obligations 2026 --overdue --filter agency=agencies/a1
    cycle obligation 2026/a1
    cycle waive 2026/a1 --reason 免报
    event list --after 3 --type task.started.v1 --subject tasks/t1
    event follow --until-caught-up
    event head
    event position 2026-11-22
    event types
    event schema task.started.v1
    checkpoint --origin example.com/log/epochs/e
    prove event 7
    prove consistency --from 3 --to 9
    prove history tasks/t1 --after 3 --up-to 9
    explain tasks/t1 --on 2023-09-01
    who t1 --on 2023-09-01 --known-at 2023-10-01T00:00:00Z
    what a1
    matrix --filter role=LEAD
";

fn typed(line: &str) -> ClientCommand {
    let words = std::iter::once("duban").chain(line.split_whitespace());
    let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
    let Command::Client(command) = cli.command else { panic!("{line} is no client command") };
    command
}

fn ask(line: &str) -> Ask {
    typed(line).ask().unwrap()
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn every_rpc_has_a_command_whose_request_fits_it() {
    let mut called = BTreeSet::new();
    for line in TYPED.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut ask = ask(line);
        let fields = ask.request.as_object_mut().unwrap();
        fields.remove("limit");
        schema::request(&ask.rpc, &ask.request)
            .unwrap_or_else(|error| panic!("{line}: {error} in {}", ask.request));
        called.insert(ask.rpc);
    }
    for service in schema::pool().services() {
        for method in service.methods().filter(|method| !WITHOUT.contains(&method.name())) {
            let rpc = format!("{}/{}", service.full_name(), method.name());
            assert!(called.contains(&rpc), "no command calls {rpc}");
        }
    }
}

#[test]
fn what_was_not_typed_is_not_sent() {
    let resume = ask("task resume t1");
    assert_eq!(resume.request, serde_json::json!({ "task": "tasks/t1" }));
    let who = ask("who t1 --on 2023-09-01 --known-at 2023-10-01");
    let as_of = serde_json::json!({ "valid_on": "2023-09-01", "known_on": "2023-10-01" });
    assert_eq!(who.request, serde_json::json!({ "task": "tasks/t1", "as_of": as_of }));
}

#[test]
fn options_narrow_a_filter() {
    let asked = ask("cycle obligations 2026 --missing --filter late=true");
    assert_eq!(asked.request["filter"], "late=true AND state = MISSED");
    assert_eq!(ask("cycle obligations 2026 --overdue").request["filter"], "overdue = true");
}

#[test]
fn amending_masks_what_was_typed() {
    let amended = ask("agency amend a1 --kind central-unit --no-superior").request;
    assert_eq!(amended["update_mask"], "kind,superior");
    assert_eq!(amended["agency"]["kind"], "AGENCY_KIND_CENTRAL_UNIT");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for line in [
        "task show agencies/a1",
        "task propose x --track fast",
        "who t1 --known-at 2023-10-01 --at-position 3",
        "who t1 --on yesterday",
        "event show 0",
        "prove event 0",
        "prove consistency",
        "task register t1 --request-id 7",
        "--as boss task list",
        "assignment correct-boundary 2023-01-01",
    ] {
        let words = std::iter::once("duban").chain(line.split_whitespace());
        assert!(Cli::try_parse_from(words).is_err(), "{line}");
    }
}

#[test]
fn serve_runs_what_is_asked_for_and_everything_by_default() {
    let serve = |words: &[&str]| {
        let cli = Cli::try_parse_from(["duban", "serve"].iter().chain(words)).unwrap();
        let Command::Serve(serve) = cli.command else { panic!("serve") };
        serve
    };
    assert_eq!(serve(&[]).services(), Service::ALL);
    assert_eq!(serve(&[]).listen.to_string(), "127.0.0.1:7350");
    assert_eq!(serve(&["tasks", "agencies"]).services(), [Service::Agencies, Service::Tasks]);
    assert_eq!(serve(&["tasks,audit"]).services(), [Service::Tasks, Service::Audit]);
    let grounds = |words: &[&str]| {
        let serve = serve(words);
        serve
            .tree
            .grounds(&serve.log)
            .map(|grounds| (grounds.place, grounds.signer, grounds.origin, grounds.sm3))
    };
    let (tree, signer) = (Path::new("d/tree").into(), "d/signer".into());
    assert_eq!(grounds(&["--data", "d"]), Some((tree, signer, None, false)));
    let given = &["--data", "d", "--tree", "t", "--signer", "s", "--origin", "example.com/log/", "--sm"];
    assert_eq!(
        grounds(given),
        Some((Path::new("t").into(), "s".into(), Some("example.com/log".to_owned()), true))
    );
    assert_eq!(grounds(&["--tree", "off"]), None);
    assert_eq!(grounds(&["--log", "postgres://x"]), None);
    let on_postgres = grounds(&["--log", "postgres://x", "--data", "d", "--tree", "t"]);
    assert_eq!(on_postgres, Some((Path::new("t").into(), "d/signer".into(), None, false)));
    let apart = grounds(&["--log", "postgres://x", "--tree", "postgres://y/trees"]).map(|(place, ..)| place);
    assert_eq!(apart, Some(Location::Postgres("postgres://y/trees".to_owned())));
    for origin in ["a b", "a+b", "a\nb"] {
        assert!(Cli::try_parse_from(["duban", "serve", "--origin", origin]).is_err(), "{origin}");
    }
}
