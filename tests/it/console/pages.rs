//! What the pages show.

use userpool::{
    proto::{CreateUserPoolRequest, RestoreUserPoolRequest, UpdateUserPoolRequest},
    server::Config,
    transport::Endpoint,
};

use super::{Answer, Console, Sample, door::with_console, last_change, send};
use crate::support::{TestServer, create, named};

#[tokio::test(flavor = "multi_thread")]
async fn pools_are_listed_and_found() {
    let Sample { server, pool, deleted, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let all = console.get("/pools").await;
    all.has(&["2 pools, 1 domain", "payments", "payments-v2", "stage prod", pool, "login"]);
    assert!(!all.body.contains(deleted.as_str()), "a deleted pool is listed");

    let found = console.get("/pools?q=payments-").await;
    found.has(&["payments-v2"]);
    assert!(!found.body.contains(pool.as_str()), "{}", found.body);
    console.get("/pools?q=stage=prod").await.has(&[pool]);
    console.get("/pools?domain=log").await.has(&[pool]);
    console.get("/pools?state=deleted").await.has(&[deleted, "deleted "]);
    console.get("/pools?q=none").await.has(&["No user pool matches", "deleted ones as well"]);
    let none = console.get("/pools?state=deleted&q=none").await;
    assert!(!none.body.contains("deleted ones as well"), "{}", none.body);
    // By the ID, and by the beginning of a domain.
    console.get(&format!("/pools?q={deleted}&state=all")).await.has(&["old"]);
    console.get(&format!("/pools?q={pool}")).await.has(&["payments"]);
    console.get("/pools?q=logi").await.has(&["payments", "1 user pool on this page"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_show_when_they_changed_and_are_found_by_it() {
    let Sample { server, pool, other, deleted } = &Sample::new().await;
    let console = Console::of(server).await;
    let order = |page: &Answer, ids: &[&String]| {
        let mut places = ids.iter().map(|id| page.body.find(&format!("/pools/{id}\"")));
        assert!(places.all(|place| place.is_some()), "{}", page.body);
        ids.is_sorted_by_key(|id| page.body.find(&format!("/pools/{id}\"")))
    };
    // The clock of the server is in 2017, that of the console is not.
    console.get("/pools?since=1d").await.has(&["No user pool matches"]);
    let changed = console.get("/pools?since=2017-12-11").await;
    assert!(order(&changed, &[pool, other]), "{}", changed.body);
    changed.has(&["userpool events --since=2017-12-11", "2 user pools on this page"]);
    let all = console.get("/pools?since=2017-12-11&state=all").await;
    assert!(order(&all, &[deleted, pool, other]), "{}", all.body);
    console.get("/pools?since=2017-12-11&q=stage=prod").await.has(&["1 user pool on this page"]);
    console.get("/pools?since=2017-12-11&domain=x").await.has(&["No user pool matches"]);

    let door = TestServer::with(with_console).await;
    create(&mut door.client().await, "alive").await;
    let address = door.console_url.clone().expect("a console");
    let address = address.strip_prefix("http://").expect("an address");
    let list = send(address, &format!("GET /pools HTTP/1.1\r\nhost: {address}")).await;
    list.has(&["aria-label=\"1 event\"", "d=\"M.5 4m27 0v-1m1 1\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_back_page_by_page() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for number in 0..124 {
        client.create_user_pool(named(&format!("pool-{number:03}"))).await.expect("created");
    }
    let console = Console::of(&server).await;
    let follow = async |page: &Answer, link: &str| {
        let address = page.body.split(&format!("rel=\"{link}\" href=\"")).nth(1).expect(link);
        let address = address.split('"').next().expect("an end").replace("&amp;", "&");
        console.get(&address).await
    };
    let first = console.get("/log").await;
    first.has(&["124 to 85 of 124"]);
    let second = follow(&first, "next").await;
    let third = follow(&second, "next").await;
    third.has(&["44 to 5 of 124", "Newer"]);
    let fourth = follow(&third, "next").await;
    fourth.has(&["4 to 1 of 124"]);
    follow(&fourth, "prev").await.has(&["44 to 5 of 124"]);
    let back = follow(&follow(&fourth, "prev").await, "prev").await;
    back.has(&["84 to 45 of 124"]);
    assert!(!back.body.contains("rel=\"prev\""), "the first page is linked anyway");
    let pools = follow(&console.get("/pools?q=pool-").await, "next").await;
    let last = follow(&pools, "next").await;
    last.has(&["pool-123"]);
    follow(&last, "prev").await.has(&["pool-099"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_page_by_page() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    for number in 0..53 {
        client.create_user_pool(named(&format!("pool-{number:02}"))).await.expect("created");
    }
    let console = Console::of(&server).await;
    let first = console.get("/pools").await;
    first.has(&["pool-00", "pool-49", "Next page"]);
    assert!(!first.body.contains("pool-50"), "{}", first.body);
    assert!(first.body.len() <= 50 * 1024, "{} bytes", first.body.len());
    let next = first.body.split("rel=\"next\" href=\"").nth(1).expect("a link");
    let next = next.split('"').next().expect("an address").replace("&amp;", "&");
    let second = console.get(&next).await;
    second.has(&["pool-50", "pool-52", "First page"]);
    assert!(!second.body.contains("Next page"), "{}", second.body);

    let log = console.get("/log").await;
    log.has(&["53 to 14 of 53", "Older"]);
    // An age is the same time on every page.
    let recent = console.get("/log?since=20y").await;
    let older = recent.body.split("rel=\"next\" href=\"").nth(1).expect("a link");
    let older = older.split('"').next().expect("an address").replace("&amp;", "&");
    console.get(&older).await.has(&["13 to 1 of 53"]);
    assert!(log.body.len() <= 50 * 1024, "{} bytes", log.body.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_setting_shows_who_changed_it_last() {
    let Sample { server, pool, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let page = console.get(&format!("/pools/{pool}")).await;
    page.has(&["pre-sign-up", "lambda:eu-west-1:314159265358", "standard attributes", "INC-1184"]);
    let changed_in = |label: &str| {
        let from = page.body.split(&format!(">{label}</dt>")).nth(1).expect("a setting");
        let change = from.split("title=\"last changed in revision ").nth(1).expect("a change");
        change.split(',').next().expect("a revision").parse::<u32>().expect("a number")
    };
    // Created in 1, domain in 2, updated in 3, domain lost in 4 and back in 5, tagged in 6.
    assert_eq!(changed_in("At least"), 1);
    assert_eq!(changed_in("Pre sign-up"), 3);
    assert_eq!(changed_in("Prefix"), 5);
    assert_eq!(changed_in("<span class=\"mono\">incident</span>"), 6);
    assert_eq!(changed_in("<span class=\"mono\">stage</span>"), 1);
}

/// That is what a reader looks for after a bad update.
#[tokio::test(flavor = "multi_thread")]
async fn a_removed_setting_says_who_removed_it() {
    let Sample { server, pool, .. } = &Sample::new().await;
    let mut client = server.client().await;
    let update = UpdateUserPoolRequest {
        user_pool_id: Some(pool.clone()),
        ..UpdateUserPoolRequest::default()
    };
    client.update_user_pool(update).await.expect("updated");
    let console = Console::of(server).await;
    let page = console.get(&format!("/pools/{pool}")).await;
    for label in [">Pre sign-up</dt>", ">stage</span></dt>", ">incident</span></dt>"] {
        let setting = page.body.split(label).nth(1).expect(label);
        let setting = setting.split("</dd>").next().expect("an end");
        assert!(setting.contains(">none</span>"), "{setting}");
        assert!(setting.contains("title=\"last changed in revision 7, "), "{setting}");
    }
    // What it never had says nothing.
    assert!(!page.body.contains("Post sign-up"), "{}", page.body);
    let before = console.get(&format!("/pools/{pool}?at=2")).await;
    assert!(!before.body.contains("Pre sign-up") && !before.body.contains("incident"));

    let restore = RestoreUserPoolRequest {
        user_pool_id: Some(pool.clone()),
        revision: Some(6),
        ..RestoreUserPoolRequest::default()
    };
    client.restore_user_pool(restore).await.expect("restored");
    let history = console.get(&format!("/pools/{pool}/history")).await;
    history.has(&["<dt>Restored to</dt>", "revision 6"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_shown_as_it_was() {
    let Sample { server, pool, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let past = console.get(&format!("/pools/{pool}?at=1")).await;
    past.has(&["As of revision 1", "The latest revision is 6", "At least"]);
    past.has(&[&format!("userpool restore {pool} --to=1")]);
    assert!(!past.body.contains("pre-sign-up"), "{}", past.body);
    console.get(&format!("/pools/{pool}?at=6")).await.has(&["This is the latest revision"]);
    console.get(&format!("/pools/{pool}?at=@4")).await.has(&["As of revision 2"]);
    let last = last_change(&console, pool).await;
    console.get(&format!("/pools/{pool}?at={last}")).await.has(&["As of revision 6"]);
    let ahead = console.get(&format!("/pools/{pool}?at=2100-01-01")).await;
    assert_eq!(ahead.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_shows_old_and_new() {
    let Sample { server, pool, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let page = console.get(&format!("/pools/{pool}/history")).await;
    page.has(&[
        "Monday, 11 December 2017",
        "Domain created",
        "Domain deleted",
        "Tagged",
        "id=\"r6\"",
        "Tags › incident",
        "INC-1184",
        "diff 5 → 6",
        "from 127.0.0.1",
    ]);
    let only = console.get(&format!("/pools/{pool}/history?type=tagged")).await;
    only.has(&["id=\"r6\"", "checked"]);
    // As the commands take them.
    let both = console.get(&format!("/pools/{pool}/history?type=tagged,created")).await;
    both.has(&["id=\"r6\"", "id=\"r1\"", "--type=tagged,created"]);
    assert!(!both.body.contains("id=\"r5\""), "{}", both.body);
    assert!(!only.body.contains("id=\"r5\""), "{}", only.body);
    let until = console.get(&format!("/pools/{pool}/history?at=3")).await;
    until.has(&["id=\"r3\"", "id=\"r1\""]);
    assert!(!until.body.contains("id=\"r4\""), "{}", until.body);
    let both = console.get(&format!("/pools/{pool}/history?at=3&until=2017-12-10")).await;
    both.has(&["No event matches"]);
    // A date includes its day.
    console.get(&format!("/pools/{pool}/history?until=2017-12-11")).await.has(&["id=\"r6\""]);
    let before = console.get(&format!("/pools/{pool}/history?until=2017-12-10")).await;
    before.has(&["No event matches"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_shows_each_member_and_who_changed_it() {
    let Sample { server, pool, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let page = console.get(&format!("/pools/{pool}/diff?from=1&to=6")).await;
    page.has(&[
        "LambdaConfig.PreSignUp",
        "revision 3",
        "UserPoolTags.incident",
        "revision 6",
        "Triggers",
        "VerificationMessageTemplate.EmailMessage",
        " more: second names of the same values, and times",
        "class=\"nil\"",
        &format!("userpool diff {pool} 1 6"),
    ]);
    assert!(!page.body.contains(">EmailVerificationMessage"), "{}", page.body);
    let all = console.get(&format!("/pools/{pool}/diff?from=1&to=6&all=1")).await;
    all.has(&["EmailVerificationMessage", "LastModifiedDate"]);
    let unified = console.get(&format!("/pools/{pool}/diff?from=1&to=6&view=unified")).await;
    unified.has(&["class=\"plus\" colspan=\"2\""]);
    // By default, what the last change did.
    console.get(&format!("/pools/{pool}/diff")).await.has(&["1 member differs", "INC-1184"]);
    // Marked in the history: two with each other, in any order, or one with the latest.
    console.get(&format!("/pools/{pool}/history")).await.has(&["name=\"of\" value=\"3\""]);
    for (marked, compared) in [
        ("of=6&of=1", "from=1&to=6"),
        ("of=3", "from=3"),
        ("view=unified&of=3", "view=unified&from=3"),
    ] {
        let found = console.get(&format!("/pools/{pool}/diff?{marked}")).await;
        assert_eq!(
            found.header("location"),
            Some(format!("/pools/{pool}/diff?{compared}").as_str())
        );
    }
    for marked in ["of=1&of=2&of=3", "of=x", "of=1&of=x"] {
        let refused = console.get(&format!("/pools/{pool}/diff?{marked}")).await;
        refused.has(&["must be the revisions of one event or two"]);
        assert_eq!(refused.status, 400);
    }
    let same = console.get(&format!("/pools/{pool}/diff?from=6&to=6")).await;
    same.has(&["No setting differs"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_shows_who_had_it_before() {
    let Sample { server, pool, other, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let list = console.get("/domains").await;
    list.has(&["login", pool, "payments"]);
    let page = console.get("/domains/login").await;
    page.has(&["It belongs to user pool", pool, other, "Domain deleted"]);
    assert_eq!(page.body.matches("Domain created").count(), 3, "{}", page.body);
    console.get("/domains/never").await.has(&["No user pool has it now", "has ever had"]);
    console.get("/domains?q=lo").await.has(&["login"]);
    console.get("/domains?q=x").await.has(&["No domain in use begins with"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_filtered_by_the_address() {
    let Sample { server, pool, deleted, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let log = console.get("/log").await;
    log.has(&[pool, deleted, "INC-1184"]);
    let only = console.get("/log?type=deleted&type=tagged").await;
    only.has(&[deleted, "id=\"p10\"", "userpool events"]);
    assert!(!only.body.contains("id=\"p9\""), "{}", only.body);
    let tied = console.get("/log?correlation=%22%3E%3Cscript%3Ealert(3)%3C/script%3E").await;
    assert_eq!(tied.body.matches("<tr id=\"p").count(), 4, "{}", tied.body);
    let of_domain = console.get("/log?domain=login").await;
    assert_eq!(of_domain.body.matches("<tr id=\"p").count(), 5, "{}", of_domain.body);
    let nobody = console.get("/log?actor=nobody").await;
    nobody.has(&["No event matches", "value=\"nobody\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_jump_box_goes_to_the_one_thing() {
    let Sample { server, pool, deleted, .. } = &Sample::new().await;
    let console = Console::of(server).await;
    let go = async |text: &str| {
        let answer = console.get(&format!("/go?q={text}")).await;
        answer.header("location").map(str::to_owned)
    };
    assert_eq!(go(pool).await, Some(format!("/pools/{pool}")));
    assert_eq!(go(deleted).await, Some(format!("/pools/{deleted}")));
    assert_eq!(go("login").await, Some("/domains/login".to_owned()));
    assert_eq!(go("@1").await, Some(format!("/pools/{pool}/history?at=1")));
    assert_eq!(go("payments-v").await.map(|_| ()), Some(()));
    assert_eq!(go("").await, Some("/pools".to_owned()));
    // As the list of user pools and "userpool proof" take them.
    assert_eq!(go("team=people").await, Some("/pools?q=team%3Dpeople".to_owned()));
    let odd = create(&mut server.client().await, "a=b").await;
    assert_eq!(go("a%3Db").await, Some(format!("/pools/{odd}")));
    assert_eq!(go(&format!("{pool}:3")).await, Some(format!("/pools/{pool}/history?at=3")));
    console.get("/go?q=payments").await.has(&["payments-v2", pool]);
    for nothing in ["nothing-at-all", "@999", "@0", "@-1"] {
        console.get(&format!("/go?q={nothing}")).await.has(&["Nothing has the ID", nothing]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_found_by_the_id_of_its_request() {
    let server = TestServer::start().await;
    let id = "01a1c022-22a8-764d-9946-3618004c63ee";
    let request = CreateUserPoolRequest { request_id: Some(id.to_owned()), ..named("people") };
    server.client().await.create_user_pool(request).await.expect("created");
    let console = Console::of(&server).await;
    let found = console.get(&format!("/go?q={id}")).await;
    assert_eq!(found.header("location"), Some(format!("/log?request={id}").as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reader_sees_who_the_server_takes_them_for() {
    let server = TestServer::start().await;
    let console = Console::of(&server).await;
    console.get("/me").await.has(&["The server takes you for", "anonymous", "us-east-1"]);
    console.get("/pools").await.has(&["<b>anonymous</b> reads"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_reads_as_whoever_runs_it() {
    let listen = |config: &mut Config| config.listen = Endpoint::Unix(config.data_dir.join("s"));
    let server = TestServer::with(listen).await;
    let console = Console::of(&server).await;
    let uid = rustix::process::getuid().as_raw();
    console.get("/me").await.has(&[&format!("local:uid={uid}")]);
}
