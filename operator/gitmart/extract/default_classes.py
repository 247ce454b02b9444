"""
Which class a file is of when nobody says otherwise: by its path alone.

The first rule that matches counts, so what is generated or somebody else's comes before what it is about. The patterns
are those of `contract.file_classes`. Linguist is GitHub's (github-linguist/linguist), whose rules are regular
expressions; those that often meet people's own work, such as cache/, tools/ or *.d.ts, are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from gitmart.contract.file_classes import FileClass, PathRules


@dataclass(frozen=True, slots=True)
class Group:
    """Rules of one kind, and where they come from."""

    file_class: FileClass
    about: str
    source: str
    globs: tuple[str, ...]


def _globs(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _any_case(text: str) -> tuple[str, ...]:
    """Return each name as it is, in lower case, in upper case and with a capital."""
    return tuple(
        dict.fromkeys(way for name in text.split() for way in (name, name.lower(), name.upper(), name.title()))
    )


DEFAULT_CLASSES = (
    Group(FileClass.GENERATED, "lock files of package managers", "Linguist, generated.rb; the managers' manuals", _globs("""
        package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb deno.lock .pnp.*
        Cargo.lock go.sum go.work.sum Gopkg.lock glide.lock
        poetry.lock pdm.lock uv.lock pylock.toml Pipfile.lock pixi.lock conda-lock.yml
        composer.lock Gemfile.lock gems.locked mix.lock rebar.lock pubspec.lock esy.lock *.esy.lock
        Podfile.lock Cartfile.resolved Package.resolved packages.lock.json paket.lock project.assets.json
        gradle.lockfile buildscript-gradle.lockfile stack.yaml.lock cabal.project.freeze renv.lock conan.lock
        flake.lock Chart.lock buf.lock MODULE.bazel.lock .terraform.lock.hcl
    """)),
    Group(FileClass.GENERATED, "minified and bundled files, and maps to their sources", "Linguist, vendor.yml and generated.rb", _globs("""
        *.min.js *.min.mjs *.min.cjs *.min.css *-min.js *-min.css *.bundle.js *.chunk.js
        *.js.map *.mjs.map *.cjs.map *.css.map *.ts.map
    """)),
    Group(FileClass.GENERATED, "protocol buffers and gRPC", "the names that protoc and its plugins give", _globs("""
        *.pb.go *.pb.gw.go *.pb.validate.go *.connect.go *.pb.cc *.pb.h *.pb.c *.pb.swift *.grpc.swift *.pb.rs
        *.pb.dart *.pbenum.dart *.pbgrpc.dart *.pbjson.dart
        *_pb2.py *_pb2.pyi *_pb2_grpc.py *_pb2_grpc.pyi *_pb.js *_pb.ts *_pb.d.ts *_grpc_pb.js *_grpc_pb.d.ts
        *_pb.rb *_services_pb.rb
    """)),
    Group(FileClass.GENERATED, "output of other generators", "Linguist, generated.rb; the names the generators give", _globs("""
        zz_generated.* *_generated.* *.generated.* *.gen.* *_gen.go bindata.go *.g.dart *.freezed.dart *.gr.dart
        *.mocks.dart *.g.cs *.g.i.cs *.Designer.cs *.designer.cs *.Designer.vb *.designer.vb *.feature.cs
        *.zep.c *.zep.h *.zep.php *.tab.c *.tab.h *.yy.c lex.yy.* moc_*.cpp qrc_*.cpp ui_*.h
        *.snap *.nib *.xcworkspacedata *.xcuserstate *.graphql.ts *.graphql.js
        __generated__/ generated/ .idea/ dist/ Carthage/Build/
    """)),
    Group(FileClass.VENDORED, "folders of other people's code", "Linguist, vendor.yml and generated.rb", _globs("""
        vendor/ Vendor/ vendors/ vendored/ _vendor/ _vendored/ node_modules/ bower_components/ jspm_packages/
        third_party/ third-party/ thirdparty/ ThirdParty/ 3rd_party/ 3rd-party/ 3rdparty/ extern/ external/
        Godeps/ Pods/ Carthage/ site-packages/ .yarn/ /deps/ /dependencies/ /Dependencies/
    """)),
    Group(FileClass.VENDORED, "programs that come with a build system", "Linguist, vendor.yml", _globs("""
        gradlew gradlew.bat gradle/wrapper/ **/gradle/wrapper/ mvnw mvnw.cmd .mvn/wrapper/ **/.mvn/wrapper/
        configure config.guess config.sub aclocal.m4 libtool.m4 ltoptions.m4 ltsugar.m4 ltversion.m4 lt~obsolete.m4
        ltmain.sh install-sh missing depcomp cpplint.py erlang.mk /rebar /waf
    """)),
    Group(FileClass.VENDORED, "libraries that are copied as a file", "Linguist, vendor.yml", _globs("""
        jquery.js jquery-[0-9]*.js jquery-ui.js jquery-ui.css jquery.ui.*.js bootstrap.js
        bootstrap.css bootstrap-theme.css font-awesome.css normalize.css modernizr.js modernizr-[0-9]*.js
        modernizr.custom.*.js html5shiv.js d3.js d3.v[0-9]*.js angular.js mootools-*.js prototype.js dojo.js
        ckeditor.js tiny_mce.js
    """)),
    Group(FileClass.DOCUMENTATION, "folders", "Linguist, documentation.yml; docs at any depth", (
        *_any_case("docs/ doc/ documentation/ javadoc/ groovydoc/"),
        *_any_case("/man/ /examples/ /demo/ /demos/ /sample/ /samples/"), "/example/",
    )),
    Group(FileClass.DOCUMENTATION, "texts about the project", "Linguist, documentation.yml; GitHub's community files", (
        *_any_case("README README.* CHANGELOG CHANGELOG.txt CHANGES CHANGES.txt CONTRIBUTING CONTRIBUTING.txt"),
        *_any_case("COPYING COPYING.* LICENSE LICENSE.* LICENCE LICENCE.* INSTALL.txt"),
        *_globs("""
            LICENSE-* COPYING-* INSTALL NEWS HISTORY HISTORY.txt NEWS.txt NOTICE NOTICE.txt AUTHORS AUTHORS.txt MAINTAINERS
            CONTRIBUTORS THANKS TODO CITATION CITATION.cff CITATION.bib
        """),
    )),
    Group(FileClass.DOCUMENTATION, "prose", "Linguist, languages.yml: the endings of languages of the type prose", _globs("""
        *.md *.mdx *.markdown *.mkd *.rst *.adoc *.asciidoc *.rdoc *.textile *.texi *.texinfo *.pod *.creole
        *.mediawiki *.org
    """)),
    Group(FileClass.TESTS, "folders", "where test runners and build systems look", (
        *_any_case("tests/ test/"),
        *_globs("""
            __tests__/ __mocks__/ __fixtures__/ spec/ specs/ testdata/ test-data/ test_data/ fixtures/ testsuite/
            unittests/ e2e/ cypress/ androidTest/ integrationTest/ testFixtures/ jvmTest/ commonTest/
        """),
    )),
    Group(FileClass.TESTS, "files", "the names that test runners look for", _globs("""
        test_*.py *_test.py *_tests.py conftest.py *_test.go *_test.rb test_*.rb *_spec.rb
        *.test.js *.test.jsx *.test.ts *.test.tsx *.test.mjs *.test.cjs *.test.mts *.test.cts *.test.vue
        *.spec.js *.spec.jsx *.spec.ts *.spec.tsx *.spec.mjs *.spec.cjs *.cy.js *.cy.ts *.e2e.js *.e2e.ts
        *Test.java *Tests.java *TestCase.java *IT.java *Test.kt *Tests.kt *Spec.kt *Test.groovy *Spec.groovy
        *Test.scala *Spec.scala *Suite.scala *Test.cs *Tests.cs *Test.php *Tests.swift *Test.swift *Tests.m
        *_test.c *_test.cc *_test.cpp *_tests.cc *_tests.cpp *_unittest.cc *_unittest.cpp *_test.rs *_test.dart
        *_test.exs *_test.erl *_SUITE.erl *_test.clj *_test.lua *_spec.lua *.bats *.feature
    """)),
    Group(FileClass.CONFIGURATION, "folders", "where hosts and editors look", _globs("""
        .github/ .gitlab/ .circleci/ .buildkite/ .woodpecker/ .gitea/ .forgejo/ .tekton/ .vscode/ .devcontainer/ .husky/
        .config/
    """)),
    Group(FileClass.CONFIGURATION, "files of builds and tools", "the names the tools look for", _globs("""
        Dockerfile Dockerfile.* *.dockerfile Containerfile .dockerignore Makefile makefile GNUmakefile Makefile.am
        *.mk CMakeLists.txt *.cmake meson.build configure.ac configure.in Jenkinsfile Jenkinsfile.* Vagrantfile Procfile
        package.json tsconfig.json tsconfig.*.json jsconfig.json composer.json lerna.json nx.json turbo.json renovate.json
        bower.json deno.json deno.jsonc biome.json angular.json project.json global.json launchSettings.json
        appsettings.json appsettings.*.json babel.config.* webpack.config.* rollup.config.* vite.config.* jest.config.*
        eslint.config.* prettier.config.* postcss.config.* tailwind.config.* next.config.*
        pom.xml *.gradle *.gradle.kts *.sbt *.csproj *.vbproj *.fsproj *.vcxproj *.sln *.props *.targets *.pbxproj
        go.mod go.work Gemfile *.gemspec Pipfile requirements.txt requirements-*.txt requirements_*.txt
        constraints.txt MANIFEST.in setup.py *.cabal mix.exs rebar.config BUILD BUILD.bazel WORKSPACE MODULE.bazel
        CODEOWNERS .*rc .*rc.js .*rc.json .*ignore .gitattributes .gitmodules .gitkeep .mailmap .editorconfig .env .env.*
        .python-version .node-version .nvmrc .ruby-version .tool-versions .htaccess
    """)),
    Group(FileClass.CONFIGURATION, "settings by their ending", "the usual formats of settings", _globs("""
        *.toml *.yaml *.yml *.ini *.cfg *.conf *.config *.properties *.plist *.xcconfig *.env
    """)),
)  # fmt: skip

RULES: tuple[tuple[str, FileClass], ...] = tuple(
    (glob, group.file_class) for group in DEFAULT_CLASSES for glob in group.globs
)


@cache
def rules_digest(paths: PathRules) -> str:
    """32 hex digits that stand for what a Repository says of classes, and for the rules of this version of gitmart."""
    said = (RULES, sorted(set(paths.exclude)), paths.classes)
    return sha256(repr(said).encode("utf-8", "surrogateescape")).hexdigest()[:32]
