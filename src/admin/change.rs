//! What changes something. Each change is noted with who asked for it.

use std::time::Instant;

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, ReqData},
};
use lb_actors::{
    first_probes,
    messages::{ChangeLive, ChangeMembers, ReloadMode},
};
use lb_core::{
    config::{Weight, shown_text},
    live::{LiveRequest, Wish},
    pool::Identity,
    roster::{MemberChange, MemberRefusal, MemberWish},
    status::{LiveReport, ReloadReport, StopReport},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    AdminState, audit, body,
    caller::Caller,
    openapi::{AtTheDoor, Refused},
    problem::Problem,
};

type State = web::Data<AdminState>;

/// A backend that the file does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBackend {
    /// The backend.
    #[schema(
        max_length = 240,
        pattern = r"^http://(([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.){0,9}[A-Za-z_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?|(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}|\[([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}\]|\[([0-9a-f]{1,4}:){1,6}:[0-9a-f]{1,4}\]|\[::[0-9a-f]{0,4}\])(:[1-9][0-9]{0,3})?/?$"
    )]
    pub(crate) url: String,
    /// The pool; else `default`, or the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pool: Option<String>,
    /// Its weight, 1 to 256; else 1.
    #[serde(
        default,
        deserialize_with = "body::weight",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 256)]
    pub(crate) weight: Option<Weight>,
    /// For how long, as the file writes durations; else until it is removed.
    #[schema(pattern = r"^[1-9][0-9]{0,3}(s|m|h)$|^[1-9][0-9]?d$")]
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub(crate) lasts: Option<String>,
}

/// Which backend, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackendTarget {
    /// The backend.
    pub(crate) url: String,
    /// Only in this pool; else in every pool that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pool: Option<String>,
    /// For how long, as the file writes durations; else until it is taken back.
    #[schema(pattern = r"^[1-9][0-9]{0,3}(s|m|h)$|^[1-9][0-9]?d$")]
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub(crate) lasts: Option<String>,
}

/// The same with a weight.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWeight {
    /// The backend.
    url: String,
    /// Its weight; `null`: the file's.
    #[serde(deserialize_with = "body::weight")]
    #[schema(value_type = Option<u16>, required = true, minimum = 1, maximum = 256)]
    weight: Option<Weight>,
    /// Only in this pool; else in every pool that has it.
    #[serde(default)]
    pool: Option<String>,
    /// For how long, as the file writes durations; else until it is taken back.
    #[schema(pattern = r"^[1-9][0-9]{0,3}(s|m|h)$|^[1-9][0-9]?d$")]
    #[serde(default, rename = "for")]
    lasts: Option<String>,
}

/// Send a backend no new requests
///
/// Requests in flight finish, downloads and tunnels too.
#[utoipa::path(
    post,
    path = "/v1/backends/drain",
    tag = "change",
    operation_id = "drain",
    request_body = BackendTarget,
    responses((status = 200, description = "The backends as they are now, one a pool", body = LiveReport), Refused, AtTheDoor)
)]
pub(super) async fn drain(state: State, caller: ReqData<Caller>, payload: web::Payload) -> HttpResponse {
    order(Wish::Drain, &state, (&caller, payload)).await
}

/// End a drain or a maintenance
#[utoipa::path(
    post,
    path = "/v1/backends/undrain",
    tag = "change",
    operation_id = "undrain",
    request_body = BackendTarget,
    responses((status = 200, description = "The backends as they are now, one a pool", body = LiveReport), Refused, AtTheDoor)
)]
pub(super) async fn undrain(state: State, caller: ReqData<Caller>, payload: web::Payload) -> HttpResponse {
    order(Wish::Serve, &state, (&caller, payload)).await
}

/// Send a backend neither requests nor probes
#[utoipa::path(
    post,
    path = "/v1/backends/maintenance",
    tag = "change",
    operation_id = "maintenance",
    request_body = BackendTarget,
    responses((status = 200, description = "The backends as they are now, one a pool", body = LiveReport), Refused, AtTheDoor)
)]
pub(super) async fn maintenance(
    state: State,
    caller: ReqData<Caller>,
    payload: web::Payload,
) -> HttpResponse {
    order(Wish::Maintenance, &state, (&caller, payload)).await
}

/// Give a backend another weight
#[utoipa::path(
    post,
    path = "/v1/backends/weight",
    tag = "change",
    operation_id = "weight",
    request_body = NewWeight,
    responses((status = 200, description = "The backends as they are now, one a pool", body = LiveReport), Refused, AtTheDoor)
)]
pub(super) async fn weight(state: State, caller: ReqData<Caller>, payload: web::Payload) -> HttpResponse {
    let asked = body::read(payload).await.map(|asked: NewWeight| LiveRequest {
        url: asked.url,
        pool: asked.pool,
        change: Some(asked.weight.map_or(Wish::FileWeight, Wish::Weight)),
        lasts: asked.lasts,
    });
    respond(&state, &caller, asked).await
}

/// Add a backend that the file does not have
///
/// Responds when its first probe has ended.
#[utoipa::path(
    post,
    path = "/v1/backends/add",
    tag = "change",
    operation_id = "add",
    request_body = NewBackend,
    responses((status = 200, description = "The backend as it is after its first probe", body = LiveReport), Refused, AtTheDoor)
)]
pub(super) async fn add(state: State, caller: ReqData<Caller>, payload: web::Payload) -> HttpResponse {
    let asked = body::read(payload).await.map(|asked: NewBackend| Asked {
        url: asked.url,
        pool: asked.pool,
        wish: MemberWish::Add { weight: asked.weight },
        lasts: asked.lasts,
    });
    members(&state, &caller, asked).await
}

/// Remove a backend
///
/// Its requests in flight finish.
#[utoipa::path(
    post,
    path = "/v1/backends/remove",
    tag = "change",
    operation_id = "remove",
    request_body = BackendTarget,
    responses((status = 200, description = "What is removed, with what is in flight there", body = LiveReport), Refused, AtTheDoor)
)]
pub(super) async fn remove(state: State, caller: ReqData<Caller>, payload: web::Payload) -> HttpResponse {
    let asked = body::read(payload).await.map(|asked: BackendTarget| Asked {
        url: asked.url,
        pool: asked.pool,
        wish: MemberWish::Remove,
        lasts: asked.lasts,
    });
    members(&state, &caller, asked).await
}

/// What is asked for of a pool.
struct Asked {
    url: String,
    pool: Option<String>,
    wish: MemberWish,
    lasts: Option<String>,
}

async fn members(state: &AdminState, caller: &Caller, asked: Result<Asked, Problem>) -> HttpResponse {
    let changed = match asked {
        Ok(asked) => change_members(state, caller, asked).await,
        Err(problem) => Err(problem),
    };
    match changed {
        Ok(report) => HttpResponse::Ok().json(report),
        Err(problem) => problem.response(),
    }
}

/// Adds or removes a backend. What was added is told with the result of its first probe.
async fn change_members(state: &AdminState, caller: &Caller, asked: Asked) -> Result<LiveReport, Problem> {
    let lasts = asked.lasts.as_deref().map(LiveRequest::parse_lasts).transpose();
    let lasts = lasts.map_err(|refusal| Problem::bad_request(format!("for: {refusal}")))?;
    let verb = match asked.wish {
        MemberWish::Add { .. } => "add",
        MemberWish::Remove => "remove",
    };
    let mut what = format!("{verb} {}", shown_text(&asked.url));
    if let Some(pool) = &asked.pool {
        what.push_str(&format!(" in pool {}", shown_text(pool)));
    }
    if let MemberWish::Add { weight: Some(weight) } = asked.wish {
        what.push_str(&format!(", weight {}", weight.get()));
    }
    if let Some(lasts) = &asked.lasts {
        what.push_str(&format!(" for {}", shown_text(lasts)));
    }
    let adds = asked.wish != MemberWish::Remove;
    if adds && !asked.url.contains("://") {
        return Err(Problem::bad_request(
            "the backend must be a URL such as http://10.0.0.4:8080",
        ));
    }
    let change = MemberChange {
        url: asked.url,
        pool: asked.pool,
        wish: asked.wish,
        lasts,
    };
    let reply = state.ask_registry(ChangeMembers(change)).await;
    let changed = reply.and_then(|changed| changed.map_err(|refusal| refused_members(&refusal)));
    let outcome = changed.as_ref().map_or_else(Problem::line, |_| "done".to_owned());
    audit::note(caller, what, outcome);
    match changed {
        Ok(report) if adds => Ok(probed(state, report).await),
        changed => changed,
    }
}

fn refused_members(refusal: &MemberRefusal) -> Problem {
    match refusal {
        MemberRefusal::Url(refusal) => Problem::bad_request(format!("the backend {refusal}")),
        MemberRefusal::Unknown(unknown) => unknown_target(&unknown.lines()),
        MemberRefusal::Conflict(why, hint) => {
            Problem::new(StatusCode::CONFLICT, why.clone()).hint(hint.clone())
        }
    }
}

/// The report after the first probes of its backends.
async fn probed(state: &AdminState, mut report: LiveReport) -> LiveReport {
    let snapshot = state.registry.snapshot_full();
    let identities = report.backends.iter().filter_map(|one| {
        let pool = snapshot.pool(&one.pool)?;
        let mut members = pool.members().iter();
        let member = members.find(|member| member.backend.url().to_string() == one.backend.url)?;
        Some(Identity::new(pool.name(), member.backend.url()))
    });
    let added: Vec<Identity> = identities.collect();
    report
        .warnings
        .extend(first_probes(&state.registry, &added).await);
    let pools = state.registry.snapshot().status(Instant::now());
    for one in &mut report.backends {
        let backends = pools.iter().filter(|pool| pool.name == one.pool);
        let mut now = backends.flat_map(|pool| &pool.backends);
        if let Some(backend) = now.find(|backend| backend.url == one.backend.url) {
            one.backend = backend.clone();
        }
    }
    report
}

async fn order(wish: Wish, state: &AdminState, (caller, payload): (&Caller, web::Payload)) -> HttpResponse {
    let asked = body::read(payload).await.map(|asked: BackendTarget| LiveRequest {
        url: asked.url,
        pool: asked.pool,
        change: Some(wish),
        lasts: asked.lasts,
    });
    respond(state, caller, asked).await
}

async fn respond(state: &AdminState, caller: &Caller, asked: Result<LiveRequest, Problem>) -> HttpResponse {
    let reported = match asked {
        Ok(request) => live(state, caller, request).await,
        Err(problem) => Err(problem),
    };
    match reported {
        Ok(report) if report.applied => HttpResponse::Ok().json(report),
        Ok(report) => refused(&report).response(),
        Err(problem) => problem.response(),
    }
}

/// Makes a live change, or tells how a backend is.
pub(super) async fn live(
    state: &AdminState,
    caller: &Caller,
    request: LiveRequest,
) -> Result<LiveReport, Problem> {
    let lasts = request
        .duration()
        .map_err(|refusal| Problem::bad_request(format!("for: {refusal}")))?;
    let what = request.change.map(|wish| described(wish, &request));
    let reported = state
        .ask_registry(ChangeLive {
            url: request.url,
            pool: request.pool,
            change: request.change,
            lasts,
        })
        .await;
    if let Some(what) = what {
        audit::note(caller, what, outcome(&reported));
    }
    reported
}

/// `drain http://a of pool b for 10m`
fn described(wish: Wish, request: &LiveRequest) -> String {
    let mut what = match wish {
        Wish::Drain => "drain",
        Wish::Maintenance => "maintenance of",
        Wish::Serve => "undrain",
        Wish::Weight(_) | Wish::FileWeight => "weight of",
    }
    .to_owned();
    what.push(' ');
    what.push_str(&shown_text(&request.url));
    if let Some(pool) = &request.pool {
        what.push_str(&format!(" in pool {}", shown_text(pool)));
    }
    match wish {
        Wish::Weight(weight) => what.push_str(&format!(": {}", weight.get())),
        Wish::FileWeight => what.push_str(": the file's"),
        Wish::Drain | Wish::Maintenance | Wish::Serve => {}
    }
    if let Some(lasts) = &request.lasts {
        what.push_str(&format!(" for {}", shown_text(lasts)));
    }
    what
}

fn outcome(reported: &Result<LiveReport, Problem>) -> String {
    match reported {
        Ok(report) if report.applied => "done".to_owned(),
        Ok(report) => refused(report).line(),
        Err(problem) => problem.line(),
    }
}

/// The first line says what is not there, the others what is.
fn refused(report: &LiveReport) -> Problem {
    unknown_target(&report.problems)
}

fn unknown_target(lines: &[String]) -> Problem {
    let (detail, rest) = lines
        .split_first()
        .map_or(("", &[][..]), |(first, rest)| (first, rest));
    let problem = Problem::not_found(detail);
    match rest.split_first() {
        None => problem,
        Some((heading, known)) => {
            let known: Vec<_> = known.iter().map(|line| line.trim()).collect();
            problem.hint(format!("{heading} {}", known.join(", ")))
        }
    }
}

/// Reload the configuration file
///
/// Responds when what was added has been probed once.
#[utoipa::path(
    post,
    path = "/v1/reload",
    tag = "change",
    operation_id = "reload",
    responses((status = 200, description = "It is in force", body = ReloadReport), (status = 422, description = "It is refused, and why; nothing has changed", body = ReloadReport), AtTheDoor)
)]
pub(super) async fn reload(state: State, caller: ReqData<Caller>) -> HttpResponse {
    let report = reloaded(&state, &caller).await;
    let status = match report.applied {
        true => StatusCode::OK,
        false => StatusCode::UNPROCESSABLE_ENTITY,
    };
    HttpResponse::build(status).json(report)
}

/// Reads the file again and applies it.
pub(super) async fn reloaded(state: &AdminState, caller: &Caller) -> ReloadReport {
    let report = state.watcher.reload(ReloadMode::Apply).await;
    let outcome = match report.applied {
        true => format!("generation {} serves", report.generation),
        false => format!("refused, problems: {}", report.problems.len()),
    };
    audit::note(caller, "reload", outcome);
    report
}

/// Stop the instance
///
/// Responds when the last request is done.
#[utoipa::path(
    post,
    path = "/v1/stop",
    tag = "change",
    operation_id = "stop",
    responses((status = 200, description = "It has stopped", body = StopReport), AtTheDoor)
)]
pub(super) async fn stop(state: State, caller: ReqData<Caller>) -> HttpResponse {
    match stopped(&state, &caller).await {
        Some(report) => HttpResponse::Ok().json(report),
        None => Problem::unavailable("the instance ended before its last request").response(),
    }
}

/// Asks for a stop, and waits until the last request is done.
pub(super) async fn stopped(state: &AdminState, caller: &Caller) -> Option<StopReport> {
    let mut stopped = state.stopped.subscribe();
    audit::note(caller, "stop", "it begins");
    state.watcher.stop(match caller {
        Caller::User(_) => "--stop",
        Caller::Token { .. } | Caller::Anybody => "the admin API",
    });
    stopped
        .wait_for(Option::is_some)
        .await
        .ok()
        .and_then(|report| report.clone())
}
