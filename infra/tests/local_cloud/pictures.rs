//! Pictures on the local cloud, on the operator's role: published, photographed by the simulator, published again.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use events::runtime::{aws, retry::RetryPolicy};
use infra::{
    local::{CredentialServer, Progress, http_client},
    pictures::{
        Gallery, ILLUSTRATION, ImageModel, Item, PhotographError, PhotographOutcome, Photographer, Picture,
        Published, Quality, catalogue, catalogue_version, illustration, png_size, publish, publish_pictures,
        seed_of,
    },
    simulator::{Simulator, SimulatorOptions},
};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::{Local, Session, local};

/// Fast, so that the test does not wait.
const POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(1), cap: Duration::from_millis(5), attempts_max: 3 };

const CANVAS: &str = "amazon.nova-canvas-v1:0";
const STABILITY: &str = "stability.stable-image-core-v1:1";

/// What publishing does where everything is there.
const NOTHING: Published = Published { pictures: 25, uploaded: 0, written: 0, photographs: 0 };

struct Studio {
    local: Local,
    operator: SdkConfig,
    gallery: Gallery,
    simulator: Simulator,
    _certificates: TempDir,
}

impl Studio {
    async fn open() -> Self {
        let local = local().await;
        let operator = operator(&local).await;
        let gallery =
            Gallery::new(&operator, &local.outputs.images_table, &local.outputs.images_bucket, true);
        let certificates = tempfile::tempdir().unwrap();
        let options = SimulatorOptions {
            ca_file: Some(certificates.path().join("ca.pem")),
            // Nova Canvas is at the end of its life; its shape is still spoken.
            allow_retired: true,
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options).await.unwrap();
        Self { local, operator, gallery, simulator, _certificates: certificates }
    }

    fn photographer(&self, model: &str) -> Photographer {
        let bedrock = self.operator.to_builder().endpoint_url(self.simulator.endpoint());
        let bedrock = bedrock.http_client(aws::http_client(Some(self.simulator.ca_file())).unwrap()).build();
        Photographer::new(&bedrock, ImageModel::of(model).unwrap(), Quality::Standard).with_policy(POLICY)
    }

    async fn publish(&self, pictures: &[Picture], again: bool) -> Published {
        publish(&self.gallery, pictures.to_vec(), again, &Progress::silent()).await.unwrap()
    }

    async fn take(&self, model: &str, picture: &Picture) -> PhotographOutcome {
        self.photographer(model).take(&self.gallery, picture, seed_of(picture)).await.unwrap()
    }

    async fn missing(&self, model: &str, pictures: &[Picture]) -> Vec<String> {
        let missing = self.photographer(model).missing(&self.gallery, pictures.to_vec()).await.unwrap();
        missing.into_iter().map(|picture| picture.image_id).collect()
    }

    async fn item(&self, picture: &Picture) -> Item {
        self.gallery.item(&picture.image_id).await.unwrap().unwrap()
    }

    fn plan(&self, fault: &str) {
        self.simulator.plan(fault.parse().unwrap());
    }
}

/// As `nova pictures` reaches the cloud: with the role of the operator.
async fn operator(local: &Local) -> SdkConfig {
    let server = CredentialServer::start(&local.cloud.root(), &local.outputs, None).await.unwrap();
    let source = server.operator().unwrap();
    let get = http_client().unwrap().get(&source.uri).header("Authorization", &source.token);
    let session: Session = get.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
    let (key, secret) = (session.access_key_id, session.secret_access_key);
    let credentials = Credentials::new(key, secret, Some(session.token), None, "test");
    let root = local.cloud.root().into_builder();
    root.credentials_provider(SharedCredentialsProvider::new(credentials)).build()
}

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item[name].as_s().unwrap()
}

#[tokio::test]
async fn pictures_are_published_once_and_a_changed_one_again() {
    let studio = Studio::open().await;
    let mut pictures = catalogue().unwrap();
    // The texts can be published without images.
    let table = &studio.local.outputs.images_table;
    let texts = publish_pictures(&studio.operator, table, &Progress::silent()).await.unwrap();
    assert_eq!(texts, 25);
    let item = studio.item(&pictures[0]).await;
    assert!(!item["questions"].as_m().unwrap()["B1"].as_l().unwrap().is_empty());
    assert!(!item.contains_key("imageKey"));

    assert_eq!(studio.publish(&pictures, false).await, Published { uploaded: 25, written: 25, ..NOTHING });
    assert_eq!(studio.publish(&pictures, false).await, NOTHING);

    let item = studio.item(&pictures[0]).await;
    assert_eq!(text(&item, "title"), pictures[0].title);
    assert_eq!(text(&item, "catalogueVersion"), catalogue_version());
    assert_eq!((text(&item, "contentType"), text(&item, "imageSource")), ("image/png", ILLUSTRATION));
    assert_eq!(
        (item["width"].as_n().unwrap().as_str(), item["height"].as_n().unwrap().as_str()),
        ("1024", "1024")
    );
    let key = text(&item, "imageKey");
    assert!(key.starts_with(&format!("pictures/{}/", pictures[0].image_id)), "{key}");
    let s3 = studio.local.cloud.s3();
    let bucket = &studio.local.outputs.images_bucket;
    let object = s3.get_object().bucket(bucket).key(key).send().await.unwrap();
    assert_eq!(object.content_type(), Some("image/png"));
    let png = object.body.collect().await.unwrap().into_bytes();
    assert_eq!(png, illustration(&pictures[0]).await.unwrap());
    assert_eq!(png_size(&png), Some((1024, 1024)));
    assert_eq!(text(&item, "imageSha256"), hex::encode(Sha256::digest(&png)));

    pictures[0].title = "Another title".to_owned();
    assert_eq!(studio.publish(&pictures, false).await, Published { written: 1, ..NOTHING });
    assert_eq!(text(&studio.item(&pictures[0]).await, "title"), "Another title");
    s3.delete_object().bucket(bucket).key(key).send().await.unwrap();
    assert_eq!(studio.publish(&pictures, false).await, Published { uploaded: 1, ..NOTHING });
}

#[tokio::test]
async fn photographs_of_both_shapes_take_the_place_of_illustrations_and_a_filter_stops_only_its_picture() {
    let studio = Studio::open().await;
    let mut pictures = catalogue().unwrap();
    pictures.truncate(3);
    studio.publish(&pictures, false).await;
    let all = Published { pictures: 3, ..NOTHING };
    let ids: Vec<String> = pictures.iter().map(|picture| picture.image_id.clone()).collect();
    assert_eq!(studio.missing(CANVAS, &pictures).await, ids);

    // A passing trouble is retried.
    studio.plan("throttling");
    let taken = studio.take(CANVAS, &pictures[0]).await;
    assert!(
        matches!(taken, PhotographOutcome::Published { simulated: true, bytes } if bytes > 10_000),
        "{taken:?}"
    );
    let item = studio.item(&pictures[0]).await;
    assert_eq!((text(&item, "imageSource"), item["imageSimulated"].as_bool()), (CANVAS, Ok(&true)));

    for (model, fault, reason) in [
        (CANVAS, "filter-prompt", "This request has been blocked by our content filters."),
        (CANVAS, "filter-image", "All of the generated images have been blocked by our content filters."),
        (STABILITY, "filter-prompt", "Filter reason: prompt"),
        (STABILITY, "filter-image", "Filter reason: output image"),
    ] {
        studio.plan(fault);
        let taken = studio.take(model, &pictures[1]).await;
        let PhotographOutcome::PhotographError(PhotographError::Filtered(said)) = taken else {
            panic!("{model} {fault}: {taken:?}")
        };
        assert!(said.starts_with(reason), "{said}");
        assert_eq!(text(&studio.item(&pictures[1]).await, "imageSource"), ILLUSTRATION);
    }

    // What was made is not made again, and other pictures and other models are.
    assert_eq!(studio.missing(CANVAS, &pictures).await, ids[1..]);
    assert!(matches!(studio.take(STABILITY, &pictures[1]).await, PhotographOutcome::Published { .. }));
    assert_eq!(studio.missing(STABILITY, &pictures).await, [ids[0].as_str(), ids[2].as_str()]);

    // Photographs stay, and their texts follow the catalogue, until the description is another one.
    assert_eq!(studio.publish(&pictures, false).await, Published { photographs: 2, ..all });
    pictures[0].objectives.push("Another objective".to_owned());
    pictures[1].description = pictures[1].description.replacen("sunny", "cloudy", 1);
    assert_eq!(studio.missing(STABILITY, &pictures[1..2]).await, ids[1..2]);
    assert_eq!(studio.publish(&pictures, false).await, Published { photographs: 1, written: 2, ..all });
    assert_eq!(text(&studio.item(&pictures[0]).await, "imageSource"), CANVAS);
    let back = studio.item(&pictures[1]).await;
    assert_eq!((text(&back, "imageSource"), back.contains_key("imagePromptSha256")), (ILLUSTRATION, false));
    assert_eq!(studio.publish(&pictures, true).await, Published { written: 1, ..all });
}

#[tokio::test]
async fn a_model_that_cannot_be_used_and_a_service_that_does_not_answer_end_the_run() {
    let studio = Studio::open().await;
    let picture = catalogue().unwrap().remove(0);
    for (faults, expected) in [
        (&["end-of-life"][..], "choose another one with --model"),
        (&["access-denied"], "AccessDeniedException"),
        // As many as there are attempts.
        (&["unavailable*3"], "ServiceUnavailableException"),
    ] {
        faults.iter().for_each(|fault| studio.plan(fault));
        let error = studio.photographer(CANVAS).take(&studio.gallery, &picture, 1).await.unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(CANVAS) && error.contains(expected), "{error}");
    }
    assert!(studio.gallery.item(&picture.image_id).await.unwrap().is_none());
    // All faults are used up.
    assert!(matches!(studio.take(CANVAS, &picture).await, PhotographOutcome::Published { .. }));
}
