//! smoke
use dkdc_state::*;

#[derive(Record, Clone, Debug, PartialEq)]
#[record(table = "notes", index(priority, idx desc))]
struct Note {
    #[record(id)]
    id: String,
    body: String,
    #[record(default = 100)]
    priority: i64,
    labels: Vec<String>,
}

#[test]
fn smoke() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path().join("data.db")).unwrap();
    let notes = state.table::<Note>().unwrap();
    let n = Note {
        id: "a".into(),
        body: "x".into(),
        priority: 3,
        labels: vec!["a,b".into()],
    };
    let v1 = notes.append(&n).unwrap();
    let v2 = notes
        .update(&Note {
            body: "y".into(),
            ..n.clone()
        })
        .unwrap();
    assert!(v2.idx > v1.idx);
    assert_eq!(v2.prev, Some(v1.idx));
    assert!(matches!(notes.append(&n), Err(Error::AlreadyExists { .. })));
    assert!(matches!(
        notes.update_if(&n, v1.idx),
        Err(Error::Conflict { .. })
    ));
    notes.delete("a").unwrap();
    assert!(notes.get("a").unwrap().is_none());
    notes.restore("a", v1.idx).unwrap();
    assert_eq!(notes.get("a").unwrap().unwrap().record, n);
    assert_eq!(notes.history("a").unwrap().len(), 4);
    assert_eq!(
        notes
            .list(&Select::new().order("priority").order_desc("idx").limit(5))
            .unwrap()
            .len(),
        1
    );
    state.rename_column("notes", "body", "text").unwrap();
    assert_eq!(notes.get("a").unwrap().unwrap().record, n);
    assert_eq!(
        state
            .at(v2.idx.into())
            .unwrap()
            .table::<Note>()
            .unwrap()
            .get("a")
            .unwrap()
            .unwrap()
            .body,
        "y"
    );
    let report = state.check().unwrap();
    assert!(report.is_sound(), "{report:?}");
    for c in state.changes(Idx::ZERO).unwrap() {
        println!("{c:?}");
    }
    println!("{:?}", state.status().unwrap());
    state.clear(&[]).unwrap();
    assert!(state.check().unwrap().is_sound());
}
