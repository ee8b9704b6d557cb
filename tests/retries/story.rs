//! A story that gives every command once or more, in an order in which each is allowed.

use duban_proto::agencies::v1 as agencies;
use duban_proto::call::v1::{CommandContext, ProgressLevel as Level};
use duban_proto::reports::v1 as reports;
use duban_proto::tasks::v1 as tasks;
use duban_proto::tasks::v1::AssignmentRole as Role;
use prost_reflect::DynamicMessage;

use super::told::{Story, Who, who};
use crate::support::{agency, assignment, because, context, from, task};

const SUPERVISOR: Who = who("supervisor-1", "supervisor", None);
const SECOND: Who = who("supervisor-2", "supervisor", None);
const COORDINATOR: Who = who("coordinator-1", "coordinator", Some("agencies/fgw"));
const FGW: Who = who("officer-fgw", "agency", Some("agencies/fgw"));
const CZT: Who = who("officer-czt", "agency", Some("agencies/czt"));
const STHJT: Who = who("officer-sthjt", "agency", Some("agencies/sthjt"));

impl Story {
    /// The whole story.
    pub(crate) async fn told() -> Self {
        let mut story = Self::begin().await;
        story.agencies().await;
        story.documents().await;
        story.tasks().await;
        story.assignments().await;
        story.closing().await;
        story.reports().await;
        story
    }

    async fn agencies(&mut self) {
        let register = |id: Option<&str>, full_name: &str| agencies::RegisterAgencyRequest {
            context: Some(from("2020-01-01")),
            agency_id: id.map(ToOwned::to_owned),
            full_name: full_name.to_owned(),
            kind: agencies::AgencyKind::ConstituentDepartment.into(),
            ..Default::default()
        };
        for (id, name) in
            [("fgw", "发改委"), ("czt", "财政厅"), ("sthjt", "环境厅"), ("jtt", "交通厅"), ("old", "旧局")]
        {
            self.tell(SUPERVISOR, "/RegisterAgency", register(Some(id), name)).await;
        }
        self.tell(SUPERVISOR, "/RegisterAgency", register(None, "无号局")).await;
        let rename = |context| agencies::RenameAgencyRequest {
            context: Some(context),
            agency: agency("sthjt"),
            full_name: "生态环境厅".to_owned(),
        };
        let renamed = self.tell(SUPERVISOR, "/RenameAgency", rename(from("2021-01-01"))).await;
        // The same again under another id changes nothing, and has a receipt of its own.
        self.tell(SUPERVISOR, "/RenameAgency", rename(from("2021-01-01"))).await;
        let add = agencies::AddAliasRequest {
            context: Some(from("2021-01-01")),
            agency: agency("fgw"),
            alias: "省发改委".to_owned(),
        };
        self.tell(SUPERVISOR, "/AddAlias", add).await;
        let end = agencies::EndAliasRequest {
            context: Some(context()),
            agency: agency("fgw"),
            alias: "省发改委".to_owned(),
        };
        self.tell(SUPERVISOR, "/EndAlias", end).await;
        // With an etag that holds now and will not hold later.
        let etag = text(&renamed, "agency", "etag");
        let amend = agencies::AmendAgencyRequest {
            context: Some(CommandContext { etag, ..from("2022-01-01") }),
            agency: Some(agencies::Agency {
                name: agency("sthjt"),
                division_code: Some("630000".to_owned()),
                ..Default::default()
            }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["division_code".to_owned()] }),
        };
        self.tell(SUPERVISOR, "/AmendAgency", amend).await;
        let dissolve =
            agencies::DissolveAgencyRequest { context: Some(because("机构改革")), agency: agency("old") };
        self.tell(SUPERVISOR, "/DissolveAgency", dissolve).await;
    }

    async fn documents(&mut self) {
        let register = |id: Option<&str>| tasks::RegisterDocumentRequest {
            context: Some(context()),
            document_id: id.map(ToOwned::to_owned),
            title: "实施意见".to_owned(),
            text: "第一条\n第二条\n".to_owned(),
            ..Default::default()
        };
        self.tell(SUPERVISOR, "/RegisterDocument", register(Some("d"))).await;
        let other = self.tell(SUPERVISOR, "/RegisterDocument", register(None)).await;
        let identify = tasks::IdentifyDocumentRequest {
            context: Some(context()),
            document: "documents/d".to_owned(),
            number: Some("青政办〔2022〕1号".to_owned()),
            issued_on: None,
        };
        self.tell(SUPERVISOR, "/IdentifyDocument", identify).await;
        for id in [Some("a"), None] {
            let record = tasks::RecordAnomalyRequest {
                context: Some(context()),
                document: "documents/d".to_owned(),
                anomaly_id: id.map(ToOwned::to_owned),
                kind: tasks::AnomalyKind::Other.into(),
                first_line: 1,
                last_line: 1,
                found: "第一条".to_owned(),
                description: "不清".to_owned(),
            };
            self.tell(SUPERVISOR, "/RecordAnomaly", record).await;
        }
        for (id, supersedes) in
            [(Some("r"), None), (None, None), (Some("r2"), Some("documents/d/readings/r"))]
        {
            let adopt = tasks::AdoptReadingRequest {
                context: Some(because("上下文如此")),
                document: "documents/d".to_owned(),
                reading_id: id.map(ToOwned::to_owned),
                anomalies: vec!["documents/d/anomalies/a".to_owned()],
                statement: "就是这样".to_owned(),
                confidence: tasks::Confidence::High.into(),
                first_line: 1,
                last_line: 1,
                supersedes: supersedes.map(ToOwned::to_owned),
                ..Default::default()
            };
            self.tell(SUPERVISOR, "/AdoptReading", adopt).await;
        }
        let withdraw = tasks::WithdrawReadingRequest {
            context: Some(because("查明有误")),
            reading: "documents/d/readings/r2".to_owned(),
        };
        self.tell(SUPERVISOR, "/WithdrawReading", withdraw).await;
        let document = text(&other, "document", "name");
        let repeal = tasks::RepealDocumentRequest { context: Some(because("已被取代")), document };
        self.tell(SUPERVISOR, "/RepealDocument", repeal).await;
    }

    async fn tasks(&mut self) {
        let propose = |id: Option<&str>| tasks::ProposeTaskRequest {
            context: Some(from("2026-01-05")),
            task_id: id.map(ToOwned::to_owned),
            title: "绿色物流".to_owned(),
            track: tasks::TaskTrack::Continuing.into(),
            ..Default::default()
        };
        for id in ["t", "k"] {
            self.tell(SUPERVISOR, "/ProposeTask", propose(Some(id))).await;
            let register = tasks::RegisterTaskRequest { context: Some(from("2026-01-05")), task: task(id) };
            self.tell(SUPERVISOR, "/RegisterTask", register).await;
        }
        let unnamed = self.tell(SUPERVISOR, "/ProposeTask", propose(None)).await;
        let withdraw = tasks::WithdrawTaskRequest {
            context: Some(because("不再需要")),
            task: text(&unnamed, "task", "name"),
        };
        self.tell(SUPERVISOR, "/WithdrawTask", withdraw).await;
        let new = |id: Option<&str>, to: &str, role: Role| tasks::NewAssignment {
            assignment_id: id.map(ToOwned::to_owned),
            agency: agency(to),
            role: role.into(),
            source: None,
        };
        let lead = [new(Some("fgw"), "fgw", Role::Lead), new(Some("czt"), "czt", Role::CoLead)];
        let parties = [
            ("t", vec![lead[0].clone(), lead[1].clone(), new(None, "sthjt", Role::Supporting)]),
            (
                "k",
                vec![
                    lead[0].clone(),
                    lead[1].clone(),
                    new(Some("s"), "sthjt", Role::CoLead),
                    new(Some("j"), "jtt", Role::CoLead),
                ],
            ),
        ];
        for (id, assignments) in parties {
            let dispatch =
                tasks::DispatchTaskRequest { context: Some(from("2026-01-10")), task: task(id), assignments };
            self.tell(SUPERVISOR, "/DispatchTask", dispatch).await;
        }
    }

    async fn assignments(&mut self) {
        let take = |id: &str| tasks::AcknowledgeAssignmentRequest {
            context: Some(context()),
            assignment: assignment("t", id),
        };
        self.tell(FGW, "/AcknowledgeAssignment", take("fgw")).await;
        self.tell(FGW, "/AcknowledgeAssignment", take("fgw")).await;
        let contest = tasks::ContestAssignmentRequest {
            context: Some(context()),
            assignment: assignment("t", "czt"),
            grounds: "职责不在本厅".to_owned(),
        };
        self.tell(CZT, "/ContestAssignment", contest).await;
        let uphold = tasks::UpholdAssignmentRequest {
            context: Some(because("在其三定内")),
            assignment: assignment("t", "czt"),
        };
        self.tell(SUPERVISOR, "/UpholdAssignment", uphold).await;
        let assign = |id: Option<&str>, from_day: &str, until: &str| tasks::AssignAgencyRequest {
            context: Some(from(from_day)),
            task: task("t"),
            assignment_id: id.map(ToOwned::to_owned),
            agency: agency("jtt"),
            role: Role::Supporting.into(),
            until: Some(until.to_owned()),
            source: None,
        };
        self.tell(SUPERVISOR, "/AssignAgency", assign(Some("j1"), "2026-01-15", "2026-02-01")).await;
        self.tell(SUPERVISOR, "/AssignAgency", assign(None, "2026-02-01", "2026-02-10")).await;
        let correct = tasks::CorrectBoundaryRequest {
            context: Some(because("日期录入有误")),
            earlier: None,
            later: Some(assignment("t", "j1")),
            on: "2026-01-12".to_owned(),
        };
        self.tell(SUPERVISOR, "/CorrectBoundary", correct).await;
        let reinterpret = tasks::ReinterpretRoleRequest {
            context: Some(from("2026-02-01")),
            assignment: assignment("t", "czt"),
            role: Role::Responsible.into(),
        };
        self.tell(SUPERVISOR, "/ReinterpretRole", reinterpret).await;
        // To one agency under an id that was chosen, from there to the next under one that wasn't.
        for (old, to, day, new) in
            [("czt", "jtt", "2026-02-15", Some("czt-jtt")), ("czt-jtt", "czt", "2026-02-20", None)]
        {
            let reassign = tasks::ReassignAssignmentRequest {
                context: Some(from(day)),
                assignment: assignment("t", old),
                agency: agency(to),
                role: None,
                new_assignment_id: new.map(ToOwned::to_owned),
            };
            self.tell(SUPERVISOR, "/ReassignAssignment", reassign).await;
        }
        let release = tasks::ReleaseAssignmentRequest {
            context: Some(from("2026-01-20")),
            assignment: assignment("t", "j1"),
        };
        self.tell(SUPERVISOR, "/ReleaseAssignment", release).await;
    }

    async fn closing(&mut self) {
        let record = tasks::RecordProgressRequest {
            context: Some(context()),
            task: task("t"),
            level: Level::Substantial.into(),
            text: "已开工".to_owned(),
            evidence: vec![],
        };
        self.tell(FGW, "/RecordProgress", record).await;
        let verify = tasks::VerifyProgressRequest {
            context: Some(context()),
            task: task("t"),
            level: Level::Limited.into(),
            text: "现场查看".to_owned(),
        };
        self.tell(SUPERVISOR, "/VerifyProgress", verify).await;
        let suspend = tasks::SuspendTaskRequest { context: Some(because("冬季停工")), task: task("t") };
        self.tell(SUPERVISOR, "/SuspendTask", suspend).await;
        let resume = tasks::ResumeTaskRequest { context: Some(context()), task: task("t") };
        self.tell(SUPERVISOR, "/ResumeTask", resume).await;
        self.closure_requested().await;
        let back = tasks::ReturnTaskRequest { context: Some(because("佐证不足")), task: task("t") };
        self.tell(SUPERVISOR, "/ReturnTask", back).await;
        self.closure_requested().await;
        self.completed().await;
        let reopen = tasks::ReopenTaskRequest { context: Some(because("出现反弹")), task: task("t") };
        self.tell(SUPERVISOR, "/ReopenTask", reopen).await;
        self.closure_requested().await;
        self.completed().await;
        let strike = tasks::StrikeOffTaskRequest { context: Some(context()), task: task("t") };
        self.tell(SECOND, "/StrikeOffTask", strike).await;
        let archive = tasks::ArchiveTaskRequest { context: Some(context()), task: task("t") };
        self.tell(SUPERVISOR, "/ArchiveTask", archive).await;
    }

    async fn closure_requested(&mut self) {
        let ask = tasks::RequestClosureRequest {
            context: Some(context()),
            task: task("t"),
            statement: "目标已达到".to_owned(),
            evidence: vec![],
        };
        self.tell(FGW, "/RequestClosure", ask).await;
    }

    async fn completed(&mut self) {
        let complete = tasks::CompleteTaskRequest {
            context: Some(context()),
            task: task("t"),
            judgement: "经核验，已完成".to_owned(),
            evidence: vec![],
        };
        self.tell(SUPERVISOR, "/CompleteTask", complete).await;
    }

    async fn reports(&mut self) {
        let open = reports::OpenCycleRequest { context: Some(context()), year: 2026, ..Default::default() };
        self.tell(COORDINATOR, "/OpenCycle", open).await;
        // Four obligations, and one event that says that they are all.
        self.office.reached(self.office.head().await.max(self.last_position() + 5)).await;
        let waive = reports::WaiveObligationRequest {
            context: Some(because("当年新任")),
            obligation: "cycles/2026/obligations/jtt".to_owned(),
        };
        self.tell(COORDINATOR, "/WaiveObligation", waive).await;
        self.report(CZT, Some("czt"), Some("czt-2"), true).await;
        self.report(STHJT, None, None, false).await;
    }

    /// A report from its draft to its correction, perhaps returned on the way.
    async fn report(&mut self, own: Who, id: Option<&str>, correction: Option<&str>, returned: bool) {
        let draft = reports::DraftReportRequest {
            context: Some(context()),
            cycle: "cycles/2026".to_owned(),
            report_id: id.map(ToOwned::to_owned),
            items: vec![],
        };
        let drafted = self.tell(own, "/DraftReport", draft).await;
        let report = text(&drafted, "report", "name");
        self.submitted(own, &report).await;
        if returned {
            let back = reports::ReturnReportRequest {
                context: Some(because("缺少数据")),
                report: report.clone(),
                findings: vec![reports::Finding { task: None, text: "请补充".to_owned() }],
            };
            self.tell(COORDINATOR, "/ReturnReport", back).await;
            self.submitted(own, &report).await;
        }
        let accept = reports::AcceptReportRequest { context: Some(context()), report: report.clone() };
        self.tell(COORDINATOR, "/AcceptReport", accept).await;
        let correct = reports::CorrectReportRequest {
            context: Some(because("数字有误")),
            report,
            report_id: correction.map(ToOwned::to_owned),
        };
        self.tell(own, "/CorrectReport", correct).await;
    }

    async fn submitted(&mut self, own: Who, report: &str) {
        let item = reports::ReportItem {
            task: task("k"),
            progress: "按计划推进".to_owned(),
            self_assessment: Level::Substantial.into(),
            ..Default::default()
        };
        let revise = reports::ReviseReportRequest {
            context: Some(context()),
            report: Some(reports::Report {
                name: report.to_owned(),
                items: vec![item],
                ..Default::default()
            }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["items".to_owned()] }),
        };
        self.tell(own, "/ReviseReport", revise).await;
        let endorse = reports::EndorseReportRequest { context: Some(context()), report: report.to_owned() };
        self.tell(own, "/EndorseReport", endorse).await;
        let submit = reports::SubmitReportRequest { context: Some(context()), report: report.to_owned() };
        self.tell(own, "/SubmitReport", submit).await;
        let receive = reports::ReceiveReportRequest { context: Some(context()), report: report.to_owned() };
        self.tell(COORDINATOR, "/ReceiveReport", receive).await;
    }
}

/// A text of the resource in a reply.
fn text(reply: &DynamicMessage, resource: &str, field: &str) -> String {
    let resource = reply.get_field_by_name(resource).expect("the resource").into_owned();
    let text = resource.as_message().expect("a message").get_field_by_name(field).expect("the field");
    text.as_str().expect("a text").to_owned()
}
