//! Nothing outside the directory is read, nothing that is not a file is opened, nothing hangs.

use std::os::unix::fs::PermissionsExt;

use watchdog::config::files;

use crate::config::fake::{Site, monitors, names, said, stale};

#[test]
fn a_kubernetes_volume_is_read_through_its_links_and_swapped_at_once() {
    let site = Site::new();
    site.write("monitors.d/..2024_01/web.yaml", monitors(&["old"]))
        .link("monitors.d/..data", "..2024_01")
        .link("monitors.d/web.yaml", "..data/web.yaml");
    let first = site.load();
    assert_eq!((names(&first), said(&first)), (vec!["old"], vec![]));
    site.write("monitors.d/..2024_02/web.yaml", monitors(&["new"])).link("monitors.d/..data_tmp", "..2024_02");
    std::fs::rename(site.path("monitors.d/..data_tmp"), site.path("monitors.d/..data")).unwrap();
    std::fs::remove_dir_all(site.path("monitors.d/..2024_01")).unwrap();
    assert_eq!(names(&site.reload(&first)), ["new"]);
}

#[test]
fn the_root_itself_may_be_a_link() {
    let site = Site::new();
    site.write("v1/monitors.d/a.yaml", monitors(&["a"])).link("current", "v1");
    let loaded = watchdog::config::load(
        &site.path("current"),
        &crate::config::fake::Kinds,
        &crate::config::fake::OneToken(""),
        None,
    );
    assert_eq!((names(&loaded), said(&loaded)), (vec!["a"], vec![]));
}

#[test]
fn links_are_followed_beneath_the_directory_and_not_beyond() {
    let outside = Site::new();
    outside.write("secret.yaml", "password: hunter2").write("d/x.yaml", monitors(&["x"]));
    let site = Site::new();
    site.write("shared/a.yaml", monitors(&["a"]))
        .write("shared/more/b.yaml", monitors(&["b"]))
        .link("monitors.d/relative.yaml", "../shared/a.yaml")
        .link("monitors.d/absolute", site.path("shared/more"))
        .link("monitors.d/escape.yaml", outside.path("secret.yaml"))
        .link("monitors.d/escape_dir", outside.path("d"))
        .link("monitors.d/passwd.yaml", "/etc/passwd")
        .link("monitors.d/dots.yaml", "../../../../../../etc/passwd")
        .link("monitors.d/gone.yaml", "nowhere.yaml")
        .link("monitors.d/self.yaml", "self.yaml");
    let loaded = site.load();
    assert_eq!(names(&loaded), ["a", "b"]);
    let bad: Vec<_> = loaded.problems.iter().map(|p| (p.file.as_str(), p.code.as_str(), p.line)).collect();
    let refused = ["dots.yaml", "escape.yaml", "escape_dir", "gone.yaml", "passwd.yaml", "self.yaml"];
    assert_eq!(bad.len(), refused.len(), "{:#?}", said(&loaded));
    for ((file, code, line), name) in bad.iter().zip(refused) {
        assert_eq!((*file, *code, *line), (format!("monitors.d/{name}").as_str(), "W012", 0));
    }
    let all = format!("{:?}", loaded.problems);
    assert!(!all.contains("hunter2") && !all.contains("root:"));
}

#[test]
fn a_link_to_a_directory_above_ends_the_walk() {
    let site = Site::new();
    site.write("monitors.d/a/a.yaml", monitors(&["a"]))
        .link("monitors.d/a/up", "..")
        .link("monitors.d/a/b/root", "../../..");
    let loaded = site.load();
    assert_eq!(names(&loaded), ["a"]);
    assert!(loaded.problems.iter().any(|p| p.file == "monitors.d/a/up" && p.code == "W012"), "{:#?}", said(&loaded));
}

#[test]
fn pipes_sockets_and_devices_are_refused_without_waiting() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", monitors(&["a"])).link("monitors.d/zero.yaml", "/dev/zero");
    nix::unistd::mkfifo(&site.path("monitors.d/pipe.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    nix::unistd::mkfifo(&site.path("watchdog.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(site.path("monitors.d/socket.yaml")).unwrap();
    let loaded = site.load();
    assert_eq!(names(&loaded), ["a"]);
    assert_eq!(loaded.problems.len(), 4, "{:#?}", said(&loaded));
    assert!(loaded.problems.iter().all(|p| p.code == "W012"));
}

#[test]
fn a_main_file_or_folder_that_is_a_link_to_nothing_is_not_taken_for_absent() {
    let site = Site::new();
    site.write("watchdog.yaml", "server: {listen: 127.0.0.1:1}\n").write("monitors.d/a.yaml", monitors(&["a"]));
    let first = site.load();
    std::fs::remove_dir_all(site.path("monitors.d")).unwrap();
    site.remove("watchdog.yaml").link("watchdog.yaml", "missing.yaml").link("monitors.d", "missing.d");
    let second = site.reload(&first);
    assert_eq!((stale(&second), second.errors()), (vec!["a"], 2), "{:#?}", said(&second));
    assert!(second.config.server.listen.is_some());
}

#[test]
fn a_file_replaced_by_a_link_keeps_its_last_good_content() {
    let site = Site::new();
    site.write("monitors.d/a.yaml", monitors(&["a"]));
    let first = site.load();
    site.remove("monitors.d/a.yaml").link("monitors.d/a.yaml", "/etc/passwd");
    let second = site.reload(&first);
    assert_eq!((names(&second), stale(&second)), (vec!["a"], vec!["a"]));
}

#[test]
fn limits_of_size_and_depth_are_said() {
    let site = Site::new();
    site.write("monitors.d/big.yaml", vec![b'#'; files::MAX_FILE as usize + 1])
        .write(&format!("monitors.d/{}a.yaml", "d/".repeat(17)), monitors(&["deep"]))
        .write(&format!("monitors.d/{}b.yaml", "e/".repeat(15)), monitors(&["fine"]));
    let loaded = site.load();
    assert_eq!(names(&loaded), ["fine"]);
    assert_eq!(loaded.problems.len(), 2, "{:#?}", said(&loaded));
    assert!(loaded.problems.iter().all(|p| p.code == "W011"));
}

#[test]
fn all_files_together_have_a_limit_and_those_beyond_it_are_not_lost() {
    let site = Site::new();
    site.write("monitors.d/z.yaml", monitors(&["z"]));
    let first = site.load();
    for i in 0..17 {
        site.write(&format!("monitors.d/{i:02}.yaml"), vec![b'#'; files::MAX_FILE as usize - 1]);
    }
    let second = site.reload(&first);
    assert_eq!(stale(&second), ["z"]);
    assert_eq!(second.problems.len(), 1, "{:#?}", said(&second));
    assert_eq!(second.problems[0].code, "W011");
}

#[test]
fn a_main_file_that_others_may_write_is_a_warning() {
    let site = Site::new();
    site.write("watchdog.yaml", "server: {}\n");
    std::fs::set_permissions(site.path("watchdog.yaml"), std::fs::Permissions::from_mode(0o666)).unwrap();
    let loaded = site.load();
    assert_eq!(said(&loaded), ["watchdog.yaml:0:1 W016 can be changed by others than its owner (mode 666)"]);
    assert_eq!(loaded.errors(), 0);
}
