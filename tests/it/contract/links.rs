//! The documents lead from one to another, and to files. A link that leads nowhere
//! leaves its reader where they are.

use std::path::Path;

use crate::support::repository::{files, read, root};

/// Where the links of a document lead, but for those to other sites.
fn links(document: &str) -> Vec<String> {
    let targets = document.split("](").skip(1);
    let targets = targets.filter_map(|rest| Some(rest.split_once(')')?.0));
    targets
        .filter(|target| !target.contains("://"))
        .map(str::to_owned)
        .collect()
}

/// The name by which a heading is linked to.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.collect::<String>().replace(' ', "-")
}

fn leads_somewhere(from: &str, link: &str) -> bool {
    let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
    let folder = Path::new(from).parent().unwrap();
    let to = if path.is_empty() {
        root().join(from)
    } else {
        root().join(folder).join(path)
    };
    if fragment.is_empty() || !to.is_file() {
        return fragment.is_empty() && to.exists();
    }
    let document = read(to.to_str().unwrap());
    let mut headings = document.lines().filter(|line| line.starts_with('#'));
    headings.any(|heading| anchor(heading) == fragment)
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let mut documents = files("docs", ".md");
    documents.extend(["README.md", "ARCHITECTURE.md"].map(str::to_owned));
    let mut count = 0;
    for document in documents {
        for link in links(&read(&document)) {
            count += 1;
            assert!(leads_somewhere(&document, &link), "{document}: {link}");
        }
    }
    assert!(count > 20, "{count} links were found");
}
