//! What deploy/controller has, on an API server: the rights, the policy, the Deployment.

use anyhow::{Context, Result, ensure};
use audit_tests::{binary::Binary, eventually, kube::KubeServer, service::Service};
use k8s_openapi::api::{
    core::v1::{Namespace, Pod},
    rbac::v1::PolicyRule,
};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{KUBERNAUT, LIMIT, PUBLISHED, Site, is_held};

const RIGHTS: &str = include_str!("../../../../deploy/controller/rbac.yaml");
const POLICY: &str = include_str!("../../../../deploy/controller/admission-policy.yaml");
const DEPLOYMENT: &str = include_str!("../../../../deploy/controller/deployment.yaml");

/// The namespace of the manifests.
const HOME: &str = "kubernaut-audit";
const NAME: &str = "audit-controller";

/// A site on an API server of its own, whose manifests are nobody else's.
async fn own_site(name: &str) -> Result<Site> {
    let mut site = Site::new(name, KUBERNAUT).await?;
    let kube: &'static KubeServer = Box::leak(Box::new(KubeServer::start().await?));
    kube.define(audit_tests::kube::KUBERNAUT).await?;
    site.kube = kube;
    site.namespace = kube.create_namespace("executions").await?;
    let restricted = "pod-security.kubernetes.io/enforce";
    let home = json!({"metadata": {"name": HOME, "labels": {restricted: "restricted"}}});
    let namespaces: Api<Namespace> = Api::all(kube.client().await?);
    namespaces.create(&PostParams::default(), &serde_json::from_value(home)?).await?;
    Ok(site)
}

impl Site {
    /// The controller as the service account of the manifests.
    async fn with_rights(&self) -> Result<Binary> {
        let kubeconfig = self.kube.kubeconfig_of(HOME, NAME).await?;
        Ok(self.controller().env("KUBECONFIG", kubeconfig.display().to_string()))
    }

    /// Has a resource finish whose event is odd: an Event tells of it.
    async fn finish_oddly(&self, name: &str) -> Result<()> {
        let backwards = json!({
            "phase": "Completed",
            "startTime": "2026-01-15T10:00:42Z",
            "completionTime": "2026-01-15T10:00:00Z",
        });
        self.set_status(name, backwards).await
    }

    async fn label(&self, name: &str, label: &str) -> Result<()> {
        let patch = Patch::Merge(json!({"metadata": {"labels": {label: "set"}}}));
        self.api().await?.patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Uses every right there is for one resource.
    async fn use_all_rights(&self, controller: &Service, name: &str) -> Result<()> {
        self.create(name, workflow()).await?;
        eventually(LIMIT, "it to be held, or to say why not", async || {
            let is_held = is_held(&self.api().await?.get(name).await?);
            ensure!(is_held || controller.log()?.contains("forbids it"), "neither");
            Ok(())
        })
        .await?;
        // It sees the end before it sees the label: the version that its patch tests is an old one.
        controller.pause()?;
        self.finish_oddly(name).await?;
        self.label(name, "changed").await?;
        controller.resume()?;
        eventually(LIMIT, "it to be published, or to say why not", async || {
            let is_published = self.api().await?.get(name).await?.labels().contains_key(PUBLISHED);
            ensure!(is_published || controller.log()?.contains("forbids it"), "neither");
            Ok(())
        })
        .await?;
        // The same Event once more is a patch.
        self.set_status(name, json!({"blockClearance": {"clearedBy": "ops"}})).await
    }
}

fn workflow() -> Value {
    json!({"workflowRef": {"workflowName": "drain-node", "version": "3"}})
}

#[tokio::test]
async fn its_rights_are_enough() -> Result<()> {
    let site = own_site("rights").await?;
    site.kube.apply(RIGHTS).await?;
    let controller = site.with_rights().await?.env("AUDIT_NAMESPACES", "");
    let controller = controller.env("AUDIT_LEASE", NAME).start_ready().await?;
    site.use_all_rights(&controller, "all-rights").await?;
    eventually(LIMIT, "both contents to be published", async || {
        let events = site.events_of("all-rights").await?;
        ensure!(events.len() == 2, "{}", events.len());
        Ok(())
    })
    .await?;
    site.published("all-rights").await?;
    assert!(controller.terminate(LIMIT).await?.success());
    let log = controller.log()?;
    assert!(!log.contains("forbids it"), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_right_less_is_named() -> Result<()> {
    let site = own_site("right_less").await?;
    site.kube.apply(RIGHTS).await?;
    let rights: Vec<DynamicObject> = serde_saphyr::from_multiple(RIGHTS)?;
    let mut tried = 0;
    for role in rights.iter().filter(|object| object.data["rules"].is_array()) {
        let rules: Vec<PolicyRule> = serde_json::from_value(role.data["rules"].clone())?;
        for (place, rule) in rules.iter().enumerate() {
            let resource = rule.resources.iter().flatten().next().context("no resource")?;
            for verb in &rule.verbs {
                let mut less = rules.clone();
                less[place].verbs.retain(|other| other != verb);
                let mut role = role.clone();
                role.data["rules"] = json!(less);
                site.kube.apply_object(&role).await?;

                let name = format!("without-{verb}-{resource}");
                let controller = site.with_rights().await?.env("AUDIT_NAMESPACES", "");
                let controller =
                    controller.env("AUDIT_LEASE", &name).env("AUDIT_LEASE_DURATION", "6s");
                let controller = controller.quiet().start_ready().await?;
                site.use_all_rights(&controller, &name).await?;
                let named = format!("cannot {verb} resource \\\"{resource}\\\"");
                eventually(LIMIT, &format!("it to say that it {named}"), async || {
                    let log = controller.log()?;
                    let said = log.lines().find(|line| line.contains("forbids it"));
                    let said = said.context("nothing is forbidden")?;
                    ensure!(said.contains(&named), "{said}");
                    ensure!(said.contains("deploy/controller/rbac.yaml"), "{said}");
                    Ok(())
                })
                .await?;
                tried += 1;
            }
            site.kube.apply_object(role).await?;
        }
    }
    assert_eq!(tried, 9, "{RIGHTS}");
    Ok(())
}

/// As the manifest says: the same rights in some namespaces alone.
#[tokio::test]
async fn with_namespaces_it_needs_no_rights_in_the_cluster() -> Result<()> {
    let site = own_site("namespaced").await?;
    for mut object in serde_saphyr::from_multiple::<DynamicObject>(RIGHTS)? {
        let types = object.types.as_mut().context("no kind")?;
        if types.kind == "ClusterRoleBinding" {
            types.kind = "RoleBinding".to_owned();
            object.metadata.namespace = Some(site.namespace.clone());
        }
        site.kube.apply_object(&object).await?;
    }
    let other = site.kube.create_namespace("other").await?;
    let controller = site.with_rights().await?.env("AUDIT_LEASE", NAME).start_ready().await?;
    site.create("mine", workflow()).await?;
    site.held("mine").await?;
    site.finish_oddly("mine").await?;
    site.published("mine").await?;
    drop(controller);

    let both = format!("{},{other}", site.namespace);
    let controller = site.with_rights().await?.env("AUDIT_NAMESPACES", both).start_ready().await?;
    // What it may not see keeps nothing from being published that it may.
    site.create("mine-too", workflow()).await?;
    site.finish_oddly("mine-too").await?;
    site.published("mine-too").await?;
    eventually(LIMIT, "it to say what it cannot see", async || {
        let text = audit_tests::http::get(controller.admin(), "/readyz?verbose").await?.text();
        ensure!(text.contains(&format!("watch {other}: the API server forbids it")), "{text}");
        Ok(())
    })
    .await?;
    drop(controller);
    Ok(())
}

#[tokio::test]
async fn the_policy_holds_what_no_controller_has_seen() -> Result<()> {
    let site = own_site("policy").await?;
    site.kube.apply(POLICY).await?;
    let api = site.api().await?;
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let resource = |name: &str, finalizers: &[&str]| -> Result<DynamicObject> {
        Ok(serde_json::from_value(json!({
            "apiVersion": KUBERNAUT, "kind": "WorkflowExecution",
            "metadata": {"name": name, "finalizers": finalizers}, "spec": workflow(),
        }))?)
    };
    eventually(LIMIT, "the policy to be in force", async || {
        let created = api.create(&dry, &resource("try", &[])?).await?;
        ensure!(is_held(&created), "{:?}", created.finalizers());
        Ok(())
    })
    .await?;
    let others = api.create(&dry, &resource("others", &["example.org/a"])?).await?;
    assert_eq!(others.finalizers(), ["example.org/a", super::FINALIZER]);
    let held = api.create(&dry, &resource("held", &[super::FINALIZER])?).await?;
    assert_eq!(held.finalizers(), [super::FINALIZER]);

    // Nobody watches.
    for name in ["finished", "unfinished"] {
        site.create(name, workflow()).await?;
    }
    site.set_status("finished", json!({"phase": "Completed"})).await?;
    for name in ["finished", "unfinished"] {
        site.delete(name).await?;
    }
    let controller = site.start().await?;
    site.gone("finished").await?;
    site.gone("unfinished").await?;
    assert_eq!(site.events_of("finished").await?[0]["outcome"], "success");
    assert_eq!(site.events_of("unfinished").await?[0]["outcome"], "partial");
    drop(controller);
    Ok(())
}

#[tokio::test]
async fn the_deployment_is_taken_and_its_container_starts() -> Result<()> {
    let site = own_site("deployment").await?;
    site.kube.apply(RIGHTS).await?;
    site.kube.apply(DEPLOYMENT).await?;
    let manifests: Vec<DynamicObject> = serde_saphyr::from_multiple(DEPLOYMENT)?;
    let deployment = manifests.first().context("no Deployment")?;
    let stored = site.kube.api_of(deployment).await?.get(NAME).await?;
    let template = &stored.data["spec"]["template"];

    // Namespaces are allowed to be strict about pods, and this one is.
    let mut pod: Pod = serde_json::from_value(template.clone())?;
    pod.metadata.name = Some("of-the-template".to_owned());
    let pods: Api<Pod> = Api::namespaced(site.kube.client().await?, HOME);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    pods.create(&dry, &pod).await.context("a pod of the template")?;

    let container = &template["spec"]["containers"][0];
    let command: Vec<String> = serde_json::from_value(container["command"].clone())?;
    let (program, args) = command.split_first().context("no command")?;
    let kubeconfig = site.kube.kubeconfig_of(HOME, NAME).await?;
    let mut controller = Binary::new(program).args(args.iter().cloned());
    for variable in container["env"].as_array().context("no env")? {
        let [name, value] = ["name", "value"].map(|key| variable[key].as_str());
        controller = controller.env(name.context("no name")?, value.context("no value")?);
    }
    let controller = controller
        .env("AUDIT_BROKERS", site.pipeline.servers.kafka.bootstrap())
        .env("AUDIT_TOPIC", &site.pipeline.topic)
        .env("KUBECONFIG", kubeconfig.display().to_string())
        .start_ready()
        .await?;
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let path = container[probe]["httpGet"]["path"].as_str().context("no path")?;
        let answer = audit_tests::http::get(controller.admin(), path).await?;
        assert_eq!(answer.status, 200, "{probe}");
    }
    site.create("deployed", workflow()).await?;
    site.finish_oddly("deployed").await?;
    site.published("deployed").await?;
    assert!(controller.terminate(LIMIT).await?.success());
    Ok(())
}
