"""Maven as a downloader: one run, one module for each artifact, made from versions.json."""
import subprocess
from xml.sax.saxutils import escape

from stack import versions

HEAD = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>sluice.stack</groupId><artifactId>{name}</artifactId><version>1</version><packaging>pom</packaging>
"""
PLUGIN = """<build><plugins><plugin><groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId>
<version>{version}</version><executions><execution><phase>generate-resources</phase><goals><goal>{goal}</goal></goals>
<configuration><outputDirectory>{into}</outputDirectory>{more}</configuration></execution></executions></plugin></plugins></build>
"""


def _tags(coordinates):
    group, artifact, version, *rest = coordinates.split(":")
    tags = f"<groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
    if rest:
        tags += f"<type>{rest[0]}</type><classifier>{rest[1]}</classifier>"
    return tags


def _module(name, pin, into):
    plugin = versions.load()["maven_dependency_plugin"]
    text = HEAD.format(name=name)
    if pin["from"] == "maven-tree":
        text += "<dependencies>" + "".join(f"<dependency>{_tags(r)}</dependency>" for r in pin["roots"]) + "</dependencies>"
        goal, more = "copy-dependencies", "<includeScope>runtime</includeScope>"
    else:
        goal, more = "copy", f"<artifactItems><artifactItem>{_tags(pin['artifact'])}</artifactItem></artifactItems>"
    return text + PLUGIN.format(version=plugin, goal=goal, into=escape(str(into)), more=more) + "</project>"


def fetch(pins, work):
    """Leaves the files of each artifact in work/<name>."""
    poms = work / "poms"
    for name, pin in pins.items():
        (poms / name).mkdir(parents=True, exist_ok=True)
        (poms / name / "pom.xml").write_text(_module(name, pin, work / name))
    modules = "".join(f"<module>{name}</module>" for name in pins)
    (poms / "pom.xml").write_text(HEAD.format(name="all") + f"<modules>{modules}</modules></project>")
    subprocess.run(["mvn", "-B", "-q", "-T", "4", "-f", str(poms / "pom.xml"), "generate-resources"],
                   check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
