//! Panels side by side, and the files that they become.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use kuva::{
    RasterBackend,
    backend::svg::SvgBackend,
    render::{
        layout::Layout,
        plots::Plot,
        render::{Primitive, Scene, TextAnchor, render_multiple},
    },
};

use super::{legend, style};
use crate::{
    failure::{Error, Result},
    staged::Staged,
};

/// Pixels of a PNG for each unit of length, so that it is sharp on paper and on fine screens.
const SCALE: f32 = 2.5;

/// A file for a picture, of the kind that its ending says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Canvas {
    /// Shapes and text.
    Svg(PathBuf),
    /// Pixels.
    Png(PathBuf),
}

impl Canvas {
    /// The kind that the ending of `path` says.
    ///
    /// # Errors
    /// [`Error::Ending`] for any other.
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match ending.as_str() {
            "svg" => Ok(Self::Svg(path.into())),
            "png" => Ok(Self::Png(path.into())),
            _ => Err(Error::Ending { path: path.into(), expected: ".svg or .png" }),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Svg(path) | Self::Png(path) => path,
        }
    }

    /// Writes a picture, whole or not at all.
    ///
    /// # Errors
    /// When the system refuses, or the picture has too many pixels.
    pub fn write(&self, picture: Picture) -> Result<()> {
        let scene = picture.scene();
        let bytes = match self {
            Self::Svg(_) => svg(&scene).into_bytes(),
            Self::Png(path) => {
                RasterBackend::new().with_scale(SCALE).render_scene(&scene).map_err(|reason| {
                    Error::Write { path: path.clone(), source: io::Error::other(reason) }
                })?
            }
        };
        let mut staged = Staged::create(self.path())?;
        let failed = |source| Error::Write { path: self.path().into(), source };
        staged.file().write_all(&bytes).map_err(failed)?;
        staged.commit()
    }
}

/// One coordinate system with what is drawn in it.
pub struct Panel {
    /// Width and height of the coordinate system.
    pub size: (f64, f64),
    /// Space on its right, and below the name of the horizontal axis.
    pub beyond: (f64, f64),
    /// Its title.
    pub title: String,
    /// What the horizontal axis shows.
    pub x_label: String,
    /// What the vertical axis shows; stands above it, where it is read without turning one's head.
    pub y_label: String,
    /// Axes, and lines that help.
    pub layout: Layout,
    /// Points and curves.
    pub plots: Vec<Plot>,
    /// What is drawn around the coordinate system, in the panel's own units.
    pub around: Vec<Primitive>,
}

impl Panel {
    /// Space on the left of a coordinate system, for the numbers of its axis.
    pub const LEFT: f64 = 58.0;
    /// Space above it, for the title and the name of the vertical axis.
    pub const TOP: f64 = 54.0;
    /// Space below it, for the numbers and the name of the horizontal axis.
    pub const BELOW: f64 = 48.0;

    /// Width and height with everything around.
    fn outer(&self) -> (f64, f64) {
        let ((width, height), (right, below)) = (self.size, self.beyond);
        (Self::LEFT + width + right, Self::TOP + height + Self::BELOW + below)
    }

    fn draw(self) -> Scene {
        let ((width, height), (right, below)) = (self.outer(), self.beyond);
        let layout = self
            .layout
            .with_width(width)
            .with_height(height)
            .with_force_margins(Self::LEFT, right)
            .with_force_margins_y(Self::TOP, Self::BELOW + below);
        let mut scene = render_multiple(self.plots, layout);
        let below_axis = Self::TOP + self.size.1 + 36.0;
        scene.add(Primitive::Text {
            x: Self::LEFT + self.size.0 / 2.0,
            y: below_axis,
            content: self.x_label,
            size: 12,
            anchor: TextAnchor::Middle,
            rotate: None,
            bold: false,
            color: Some(style::INK.into()),
        });
        scene.add(legend::text(Self::LEFT, 26.0, &style::words(&self.title), 16, style::INK));
        if !self.y_label.is_empty() {
            scene.add(legend::text(Self::LEFT, 45.0, &self.y_label, 11, style::QUIET));
        }
        scene.elements.extend(self.around);
        scene
    }
}

/// Panels in rows.
pub struct Picture {
    /// The panels, row by row.
    pub panels: Vec<Panel>,
    /// How many stand in a row.
    pub columns: usize,
}

impl Picture {
    /// Panels in rows of at most three, of equal length where they can be.
    pub fn of(panels: Vec<Panel>) -> Self {
        let columns = match panels.len() {
            4 => 2,
            n => n.clamp(1, 3),
        };
        Self { panels, columns }
    }

    /// The picture as text, to stand in a page.
    pub fn svg(self) -> String {
        svg(&self.scene())
    }

    fn scene(self) -> Scene {
        const EDGE: f64 = 8.0;
        let mut scene = Scene::new(0.0, 0.0);
        scene.font_family = Some(style::FONT.into());
        scene.text_color = Some(style::INK.into());
        let mut widths = vec![0.0f64; self.columns];
        for (i, panel) in self.panels.iter().enumerate() {
            let width = &mut widths[i % self.columns];
            *width = width.max(panel.outer().0);
        }
        let (mut x, mut y, mut tallest) = (EDGE, EDGE, 0.0f64);
        for (i, panel) in self.panels.into_iter().enumerate() {
            if i > 0 && i % self.columns == 0 {
                (x, y, tallest) = (EDGE, y + tallest + EDGE, 0.0);
            }
            let (_, height) = panel.outer();
            let drawn = panel.draw();
            scene.defs.extend(drawn.defs);
            let transform = Some(format!("translate({x},{y})"));
            scene.add(Primitive::GroupStart { transform, title: None, extra_attrs: None });
            scene.elements.extend(drawn.elements);
            scene.add(Primitive::GroupEnd);
            x += widths[i % self.columns];
            tallest = tallest.max(height);
            scene.width = scene.width.max(x + EDGE);
            scene.height = scene.height.max(y + tallest + EDGE);
        }
        scene
    }
}

/// With a view box, so that it can be shown at any size.
fn svg(scene: &Scene) -> String {
    let view_box = format!("<svg viewBox=\"0 0 {} {}\" ", scene.width, scene.height);
    SvgBackend::new().render_scene(scene).replacen("<svg ", &view_box, 1)
}
