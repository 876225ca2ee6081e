//! The file lake, with the post's columns.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use dkdc_lake::{BlobRef, Error, File, FileName, NewFile};
use dkdc_state::Versioned;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::args::{self, Part, Pattern, extracted};
use crate::dicts::datetime;
use crate::errors::{content_error, lake_error, raise, state_error};
use crate::handle::Handle;
use crate::state::moment;
use crate::transaction;
use crate::value::idx;

/// The lake of a store.
#[pyclass(module = "dkdc_state._core", frozen)]
pub(crate) struct Lake {
    handle: Arc<Handle>,
}

/// A file's row: what is written beside its name and its content.
struct Said {
    filetype: Option<String>,
    version: Option<i64>,
    status: Option<String>,
    description: Option<String>,
    labels: Option<Vec<String>>,
}

impl<'py> FromPyObject<'_, 'py> for Said {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Said> {
        let item = |name| given.get_item(name);
        let text = |name| {
            let meant = format!("{name} is a str of UTF-8, or None");
            extracted(item(name)?.as_borrowed(), &meant)
        };
        let (version, labels) = (item("version")?, item("labels")?);
        Ok(Said {
            filetype: text("filetype")?,
            version: extracted(
                version.as_borrowed(),
                "version is a 64-bit integer, or None",
            )?,
            status: text("status")?,
            description: text("description")?,
            labels: extracted(labels.as_borrowed(), "labels are a list of str, or None")?,
        })
    }
}

impl Lake {
    pub(crate) fn on(py: Python<'_>, handle: &Arc<Handle>) -> PyResult<Lake> {
        let lake = Lake {
            handle: Arc::clone(handle),
        };
        lake.call(py, |_| Ok(()))?;
        Ok(lake)
    }

    fn call<T: Send>(
        &self,
        py: Python<'_>,
        run: impl FnOnce(&dkdc_lake::Lake) -> dkdc_lake::Result<T> + Send,
    ) -> PyResult<T> {
        transaction::refuse_inside(py, &self.handle)?;
        let state = self.handle.state(py)?;
        let done = py.detach(|| run(&dkdc_lake::Lake::on(&state)?));
        done.map_err(|error| match &error {
            // In the post's words: the filename alone.
            Error::NotFound { name } => {
                let message = format!("File {} does not exist", name.filename);
                raise(py, "NotFound", &message)
            }
            Error::AlreadyExists { name } => {
                let message = format!("File {} already exists", name.filename);
                raise(py, "AlreadyExists", &message)
            }
            error => lake_error(py, error),
        })
    }
}

fn name(Part(user): Part, Part(path): Part, filename: args::FileName) -> FileName {
    FileName {
        user,
        path,
        filename: filename.0,
    }
}

fn new_file(name: FileName, said: Said) -> NewFile {
    NewFile {
        filetype: said.filetype,
        version: said.version,
        status: said.status,
        description: said.description,
        labels: said.labels,
        ..NewFile::new(name)
    }
}

/// Bytes, or what can be asked for them.
fn bytes(data: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(bytes) = data.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().to_vec());
    }
    let view = data.py().import("builtins")?.getattr("memoryview")?;
    match view.call1((data,)) {
        Ok(view) => view.call_method0("tobytes")?.extract(),
        Err(_) => {
            let kind = data.get_type().name()?;
            let message = format!("data is bytes, not {kind}");
            Err(raise(data.py(), "Invalid", &message))
        }
    }
}

type Found = (Versioned<File>, Vec<u8>);

#[pymethods]
impl Lake {
    fn append_file<'py>(
        &self,
        py: Python<'py>,
        user: Part,
        path: Part,
        filename: args::FileName,
        data: &Bound<'py, PyAny>,
        said: Said,
    ) -> PyResult<Bound<'py, PyDict>> {
        let file = new_file(name(user, path, filename), said);
        let data = bytes(data)?;
        let file = self.call(py, |lake| lake.append_file(file, &data[..]))?;
        shown(py, &file, Some(&data))
    }

    fn update_file<'py>(
        &self,
        py: Python<'py>,
        user: Part,
        path: Part,
        filename: args::FileName,
        data: &Bound<'py, PyAny>,
        said: Said,
    ) -> PyResult<Bound<'py, PyDict>> {
        let file = new_file(name(user, path, filename), said);
        let data = bytes(data)?;
        let file = self.call(py, |lake| lake.update_file(file, &data[..]))?;
        shown(py, &file, Some(&data))
    }

    fn get_file<'py>(
        &self,
        py: Python<'py>,
        user: Part,
        path: Part,
        filename: args::FileName,
    ) -> PyResult<Bound<'py, PyDict>> {
        let name = name(user, path, filename);
        let (file, data): Found = self.call(py, |lake| {
            let file = lake.get(&name)?;
            let data = lake.read_file_to_vec(&file)?;
            Ok((file, data))
        })?;
        shown(py, &file, Some(&data))
    }

    fn contains_file(
        &self,
        py: Python<'_>,
        user: Part,
        path: Part,
        filename: args::FileName,
    ) -> PyResult<bool> {
        let name = name(user, path, filename);
        self.call(py, |lake| lake.contains_file(&name))
    }

    fn contains_path(&self, py: Python<'_>, path: args::Path, user: Part) -> PyResult<bool> {
        self.call(py, |lake| lake.contains_path(&path.0, user.0.as_deref()))
    }

    fn delete_file<'py>(
        &self,
        py: Python<'py>,
        user: Part,
        path: Part,
        filename: args::FileName,
    ) -> PyResult<Bound<'py, PyAny>> {
        let name = name(user, path, filename);
        let version = self.call(py, |lake| lake.delete(&name))?;
        datetime(py, version.idx)
    }

    fn restore_file<'py>(
        &self,
        py: Python<'py>,
        user: Part,
        path: Part,
        filename: args::FileName,
        version: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let name = name(user, path, filename);
        let version = idx(version)?;
        let (file, data): Found = self.call(py, |lake| {
            let file = lake.restore(&name, version)?;
            let data = lake.read_file_to_vec(&file)?;
            Ok((file, data))
        })?;
        shown(py, &file, Some(&data))
    }

    /// Writes the content of the files that a pattern matches, now or at a
    /// moment, into a folder: where each of them is, and its name in the lake.
    fn spool(
        &self,
        py: Python<'_>,
        pattern: Pattern,
        user: Part,
        when: Option<&Bound<'_, PyAny>>,
        folder: PathBuf,
    ) -> PyResult<Vec<(PathBuf, String)>> {
        let when = when.map(moment).transpose()?;
        let user = user.0.as_deref();
        self.call(py, |lake| {
            let files = match when {
                None => lake.list(user, None)?,
                Some(when) => lake.at(when)?.list(user, None)?,
            };
            let files = dkdc_lake::matching(files, &pattern.0)?
                .into_iter()
                .enumerate();
            let written = files.map(|(at, file)| {
                // What follows the first dot says how it is read.
                let ending = file.filename.find('.').map(|dot| &file.filename[dot..]);
                let path = folder.join(format!("{at:06}{}", ending.unwrap_or_default()));
                spool(lake, &file, &path)?;
                Ok((path, file.name().to_string()))
            });
            written.collect()
        })
    }

    /// Every version, oldest first; without the content, which `data` names.
    fn history<'py>(
        &self,
        py: Python<'py>,
        user: Part,
        path: Part,
        filename: args::FileName,
    ) -> PyResult<Bound<'py, PyList>> {
        let name = name(user, path, filename);
        let versions = self.call(py, |lake| {
            let versions = lake.history(&name)?.into_iter();
            let read = versions.map(|version| {
                let data = version
                    .record
                    .as_ref()
                    .map(|file| lake.read_file_to_vec(file));
                Ok((data.transpose()?, version))
            });
            read.collect::<dkdc_lake::Result<Vec<_>>>()
        })?;
        let list = PyList::empty(py);
        for (data, Versioned { version, record }) in versions {
            let dict = match record {
                Some(record) => shown(py, &Versioned { version, record }, data.as_deref())?,
                None => {
                    let dict = PyDict::new(py);
                    dict.set_item("idx", datetime(py, version.idx)?)?;
                    dict
                }
            };
            dict.set_item("op", version.op.name())?;
            list.append(dict)?;
        }
        Ok(list)
    }
}

fn spool(lake: &dkdc_lake::Lake, file: &File, path: &std::path::Path) -> dkdc_lake::Result<()> {
    let mut content = lake.read_file(file)?;
    let written = std::fs::File::create_new(path);
    let written = written.and_then(|mut to| content.each(|bytes| to.write_all(bytes)));
    written.map_err(|source| Error::Disk {
        path: path.to_owned(),
        source,
    })
}

/// The eleven columns of the post.
fn shown<'py>(
    py: Python<'py>,
    file: &Versioned<File>,
    data: Option<&[u8]>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("idx", datetime(py, file.idx())?)?;
    dict.set_item("id", &file.id)?;
    dict.set_item("user_id", file.user_id.as_deref())?;
    dict.set_item("path", file.path.as_deref())?;
    dict.set_item("filename", &file.filename)?;
    dict.set_item("filetype", file.filetype.as_deref())?;
    dict.set_item("data", data.map(|data| PyBytes::new(py, data)))?;
    dict.set_item("version", file.record.version)?;
    dict.set_item("status", file.status.as_deref())?;
    dict.set_item("description", file.description.as_deref())?;
    dict.set_item("labels", file.labels.clone())?;
    Ok(dict)
}

/// Content, by what names it.
pub(crate) fn content<'py>(
    py: Python<'py>,
    handle: &Handle,
    hash: &str,
    size: u64,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(hash) = from_hex(hash) else {
        return Err(raise(
            py,
            "Invalid",
            &format!("{hash:?} is no hash of content"),
        ));
    };
    let state = handle.state(py)?;
    let content = py.detach(|| {
        let mut content = Vec::new();
        let mut reader = state.open_blob(&BlobRef { hash, size })?;
        let read = reader.read_to_end(&mut content);
        Ok(read.map(|_| content))
    });
    let content = content.map_err(|error| state_error(py, &error))?;
    let content = content.map_err(|error| content_error(py, &error))?;
    Ok(PyBytes::new(py, &content).into_any())
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(hash)
}

/// A new id, as the original packages make them.
#[pyfunction]
pub(crate) fn uuid(py: Python<'_>) -> PyResult<String> {
    dkdc_lake::uuid().map_err(|error| lake_error(py, &error))
}
