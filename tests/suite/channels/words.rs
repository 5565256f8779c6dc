//! Templates, and the channels that run a program of this machine.

use tokio::io::AsyncReadExt as _;
use watchdog::base::message::DeliveryError;
use watchdog::base::notification::Notification;
use watchdog::engine::kinds::Kinds;

use crate::channels::{Env, SECRET, Service, build, deliver, firing};

#[tokio::test(flavor = "multi_thread")]
async fn words_of_ones_own_replace_the_built_in_ones() {
    let service = Service::start(Vec::new(), (200, "{}".to_owned())).await;
    let text = format!(
        "{{topic: a, api_url: \"{}\", title: \"{{{{ common_labels.alertname }}}}!\", body: \"{{{{ alerts[0].value|percent }}}}\"}}",
        service.url
    );
    deliver(&*build("ntfy", &text), &firing(), None).await.unwrap();
    let got = service.got().remove(0);
    got.has("/title", "DiskFull!");
    got.has("/message", "97%\n\nwatchdog tui alert/fe6993caee5e5b46");
    let text = format!("{{url: \"{}/x\", body: '{{\"n\": {{{{ alerts|length }}}}}}'}}", service.url);
    deliver(&*build("webhook", &text), &firing(), None).await.unwrap();
    service.got()[1].has("/n", 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_fails_is_replaced_and_says_so() {
    let service = Service::start(Vec::new(), (200, "{}".to_owned())).await;
    // Fine for one alert, too much for many.
    let body = "{% for a in alerts %}{% for b in range(400) %}{{ b }}{% endfor %}{% endfor %}";
    let text = format!("{{topic: a, api_url: \"{}\", body: \"{body}\"}}", service.url);
    let mut many = firing();
    many.alerts = vec![many.alerts[0].clone(); 500];
    deliver(&*build("ntfy", &text), &many, None).await.unwrap();
    let got = service.got().remove(0);
    let message = got.text("/message");
    assert!(message.starts_with("(the template failed, this is the built-in text: it runs too long)"), "{message}");
    assert!(message.contains("/var is full"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_gets_the_notification_and_its_exit_code_decides() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let sh = |script: &str, extra: &str| {
        let script = serde_json::to_string(script).unwrap();
        build("script", &format!("{{command: [/bin/sh, -c, {script}], env: {{TOKEN: \"${{env:S}}\"}}{extra}}}"))
    };
    let keep =
        format!("cat > {0}; echo \"$WATCHDOG_STATUS|$WATCHDOG_TITLE|$TOKEN\" >> {0}; echo ticket-7", out.display());
    let receipt = deliver(&*sh(&keep, ""), &firing(), None).await.unwrap();
    assert_eq!(receipt.remote.as_deref(), Some("ticket-7"));
    let got = std::fs::read_to_string(&out).unwrap();
    let (json, env) = got.split_once('\n').map_or((got.as_str(), ""), |(a, b)| (a, b));
    let (json, env) = if env.is_empty() { json.split_at(json.rfind('}').unwrap() + 1) } else { (json, env) };
    assert_eq!(serde_json::from_str::<Notification>(json).unwrap(), firing());
    assert_eq!(env.trim(), format!("firing|\u{1f534} FIRING: DiskFull – db-1|{SECRET}"));
    for (script, again) in
        [("echo $TOKEN >&2; exit 1", true), ("exit 75", true), ("exit 64", false), ("kill -9 $$", true)]
    {
        match deliver(&*sh(script, ""), &firing(), None).await {
            Err(DeliveryError::Retry { err, .. }) if again => assert!(!err.to_string().contains(SECRET), "{err}"),
            Err(DeliveryError::Permanent(_)) if !again => {}
            other => panic!("{script}: {other:?}"),
        }
    }
    // The grandchild is killed with it: reading ends when nobody holds the pipe any more.
    let pipe = dir.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let mut held = tokio::net::unix::pipe::OpenOptions::new().open_receiver(&pipe).unwrap();
    let script = format!("sleep 600 > {} & sleep 600", pipe.display());
    match deliver(&*sh(&script, ", timeout: 500ms"), &firing(), None).await {
        Err(DeliveryError::Retry { err, .. }) => assert!(err.to_string().contains("did not end within"), "{err}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(held.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    assert!(matches!(
        deliver(&*build("script", "{command: [/no/such/program]}"), &firing(), None).await,
        Err(DeliveryError::Retry { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_that_nobody_sits_at_is_not_tried_again() {
    let to = build("desktop", "{program: /bin/false}");
    match deliver(&*to, &firing(), None).await {
        Err(DeliveryError::Permanent(err)) => assert!(err.to_string().contains("no desktop session"), "{err}"),
        // A developer's own session: the program is run, and fails.
        Err(DeliveryError::Retry { err, .. }) => assert!(err.to_string().contains("failed"), "{err}"),
        Ok(_) => panic!("nothing was shown"),
    }
}

#[test]
fn mistakes_in_templates_are_named_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let load = |previous: Option<&watchdog::config::Loaded>| {
        let loaded = watchdog::config::load(dir.path(), &Kinds, &Env, previous);
        let places = loaded.problems.iter().map(|p| format!("{}:{}:{} {}", p.file, p.line, p.column, p.message));
        let places = places.collect::<Vec<_>>();
        (loaded, places)
    };
    let main =
        "notifiers:\n  - name: ops\n    type: ntfy\n    topic: a\n    template: short\n    title: '{{ stauts }}'\n";
    write("watchdog.yaml", main);
    write(
        "templates.d/m.yaml",
        "messages:\n  - name: short\n    body: |\n      first line\n      {{ status | upcase }}\n",
    );
    assert_eq!(
        load(None).1,
        [
            "templates.d/m.yaml:5:19 `body`: unknown filter: filter upcase is unknown",
            "watchdog.yaml:5:15 no message template is named `short`",
            "watchdog.yaml:6:16 `title`: nothing is called `stauts` here; did you mean `status`?",
        ]
    );
    write("watchdog.yaml", &main.replace("stauts", "status"));
    write("templates.d/m.yaml", "messages:\n  - {name: short, body: one}\n");
    let (good, places) = load(None);
    assert_eq!(places, Vec::<String>::new());
    // The main file did not change; what its templates say did.
    write("templates.d/m.yaml", "messages:\n  - {name: other, body: one}\n");
    assert_eq!(load(Some(&good)).1, ["watchdog.yaml:5:15 no message template is named `short`"]);
    write("templates.d/m.yaml", "messages:\n  - {name: short, body: two}\n");
    let (next, places) = load(Some(&good));
    assert_eq!(places, Vec::<String>::new());
    assert_ne!(next.config.receivers[0].hash, good.config.receivers[0].hash);
    write("templates.d/n.yaml", "messages:\n  - {name: short, title: x}\n  - {name: empty}\n");
    assert_eq!(
        load(Some(&good)).1,
        [
            "templates.d/n.yaml:2:12 a message template is named `short` already",
            "templates.d/n.yaml:3:6 neither `title` nor `body` is there",
        ]
    );
}
